"""What `harness gate` does beside its command: files, history and the rerun of both targets."""
