"""What runs on a host: the compute, network and volume duties. Never touches the database."""
