"""A service that plants seeds: all that a service may ask of the house, in the fewest lines."""
