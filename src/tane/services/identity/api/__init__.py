"""Handlers of the identity service: parse, call the domain, build the view."""
