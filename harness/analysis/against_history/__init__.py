"""Today's run against the last runs of its suite: what they predict, and what lies outside."""
