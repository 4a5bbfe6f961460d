"""Handlers of object storage."""
