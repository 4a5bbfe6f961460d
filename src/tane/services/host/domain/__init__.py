"""Rules of hosts."""
