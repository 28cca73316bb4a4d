"""What a candidate costs: the rows of the gate, the prices of each run's day, and what moved the bill."""
