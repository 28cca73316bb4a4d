"""Judges: asked, kept, compared with people, and what they cost."""
