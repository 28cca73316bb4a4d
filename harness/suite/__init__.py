"""What is asked: the suite file, loaded and checked."""
