"""Handlers of the network API: parse, domain, view."""
