"""Sessions, the tables' words, and how their values are shown."""
