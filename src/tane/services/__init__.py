"""The services. Each folder has the same shape; one imports another only through its ``interface.py``."""
