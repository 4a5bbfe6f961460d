"""SQL of object storage."""
