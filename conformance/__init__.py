"""Runs suites that others wrote against a running cloud."""
