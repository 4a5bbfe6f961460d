"""SQL of rating."""
