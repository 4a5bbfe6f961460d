"""Sagas of images."""

from tane.services.image.operations import add_location, import_image

OPERATIONS = (import_image.OPERATION, add_location.OPERATION)
