"""What happened: every attempt of a run, on disk, once."""
