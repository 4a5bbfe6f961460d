"""Hypervisors behind the compute duty."""
