"""Rules of alarms."""
