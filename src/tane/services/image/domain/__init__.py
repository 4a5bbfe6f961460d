"""Rules and state transitions of images."""
