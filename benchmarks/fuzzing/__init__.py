"""What `fuzz.py` and the tests feed with hostile input."""
