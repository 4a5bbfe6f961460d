"""Handlers of the compute API."""
