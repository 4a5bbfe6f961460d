"""Tane's own small guest image, for first steps and tests: ``tane.guest.build`` and ``tane.guest.cirros``."""
