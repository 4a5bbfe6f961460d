"""SQL of the portal."""
