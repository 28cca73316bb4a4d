"""Two targets, or two runs: paired differences, verdicts, the gate."""
