"""How many prompts, repeats or minutes a verdict takes: before a run, and after it."""
