"""Sagas of images."""

from tane.services.image.operations import add_location, cache_image, import_image

OPERATIONS = (import_image.OPERATION, add_location.OPERATION, cache_image.OPERATION)
