"""How a simulated model behaves: its answers, its speed, and the requests it rejects."""
