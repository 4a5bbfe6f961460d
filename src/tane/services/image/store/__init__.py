"""SQL of images."""
