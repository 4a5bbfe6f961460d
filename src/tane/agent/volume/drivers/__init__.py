"""Back ends of the volume duty."""
