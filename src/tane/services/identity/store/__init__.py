"""SQL of the identity service."""
