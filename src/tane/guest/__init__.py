"""Tane's own small guest image, for first steps and tests."""

from tane.guest.build import GuestImage, GuestImageError, build
from tane.guest.cirros import download_cirros

__all__ = ["GuestImage", "GuestImageError", "build", "download_cirros"]
