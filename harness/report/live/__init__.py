"""What a user sees while a load runs."""
