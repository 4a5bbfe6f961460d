"""Rules of object storage."""
