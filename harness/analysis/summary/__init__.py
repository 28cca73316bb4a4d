"""The summary of a run: what `summary.json` holds, and how it is computed."""
