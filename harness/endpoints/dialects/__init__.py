"""The apis on the wire: request bodies, answers and framing, one file per dialect."""
