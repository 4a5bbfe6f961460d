"""Faults at random under load, then every invariant."""
