"""SQL of the network service."""
