"""Rules of the identity service; the only place that writes its tables."""
