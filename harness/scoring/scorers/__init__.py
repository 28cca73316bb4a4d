"""The built-in scorers, one per file: each a frozen Struct of its parameters."""
