"""Suites: the suite file, loaded and checked."""
