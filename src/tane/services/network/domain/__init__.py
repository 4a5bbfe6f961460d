"""Rules of the network service; the only code that writes."""
