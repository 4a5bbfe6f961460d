"""Handlers: parse, call the domain, view."""
