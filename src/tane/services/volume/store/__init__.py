"""SQL of block storage."""
