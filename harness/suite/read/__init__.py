"""Reads a suite's other files: datasets, documents, traces, prices, labels and check files."""
