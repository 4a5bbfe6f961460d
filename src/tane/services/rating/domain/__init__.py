"""What was used, what it costs, and who is told."""
