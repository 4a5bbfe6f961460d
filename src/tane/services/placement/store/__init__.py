"""SQL of names."""
