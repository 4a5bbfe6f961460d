"""Reconcilers of the image service."""

from tane.services.image.reconcilers.content import RECONCILER

RECONCILERS = (RECONCILER,)
