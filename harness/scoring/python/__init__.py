"""The user's own check functions, in processes of their own."""
