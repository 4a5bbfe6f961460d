"""Rules and state transitions of block storage."""
