"""The apis on the wire: request bodies, answers and their framing, one dialect a file."""
