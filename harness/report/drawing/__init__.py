"""What all figures share: frame, style, scales, rendering."""
