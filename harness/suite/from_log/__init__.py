"""A suite out of real traffic: sampled, redacted, with today's models and the candidates as targets."""
