"""Model output made comparable: texts, numbers, JSON."""
