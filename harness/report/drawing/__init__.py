"""What all figures share: frame, style, scales, the look of each target."""
