"""A run's report: terminal, Markdown, page."""
