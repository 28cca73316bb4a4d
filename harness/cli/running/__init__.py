"""What commands share: options applied to a suite, sending a load, grading, comparing."""
