"""Reconcilers of object storage."""

from tane.services.object.reconcilers.blobs import RECONCILER as BLOBS
from tane.services.object.reconcilers.expiry import RECONCILER as EXPIRY

RECONCILERS = (BLOBS, EXPIRY)
