"""What holds a load back, and what ends it: requests in flight, quotas, the budget, errors."""
