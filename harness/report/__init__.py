"""What people look at: figures, pages and the final table, all drawn from a run's summary and columns."""
