"""A history's report: terminal and page."""
