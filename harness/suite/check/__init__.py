"""Whether a suite fits what it asks: targets, prompts, limits of the apis."""
