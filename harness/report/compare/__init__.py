"""A comparison's report: terminal, Markdown, page, JUnit."""
