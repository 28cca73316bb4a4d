"""The suite file as it is written: its keys, their units, its JSON Schema, and mistakes with file and line."""
