"""Fuzzing of every route: requests built from the route tables, each wrong in some way, by callers of every role."""
