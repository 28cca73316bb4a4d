"""The reports of a run against the last runs of its suite."""
