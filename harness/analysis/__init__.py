"""What a run means: metrics, intervals, validity and the summary."""
