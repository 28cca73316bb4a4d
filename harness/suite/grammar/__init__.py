"""The suite file's grammar: its keys, their units, its JSON Schema, and mistakes with file and line."""
