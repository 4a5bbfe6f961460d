"""Hosts as providers of resources."""
