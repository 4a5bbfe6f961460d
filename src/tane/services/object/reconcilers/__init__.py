"""Reconcilers of object storage."""

from tane.services.object.reconcilers.access_log import RECONCILER as ACCESS_LOG
from tane.services.object.reconcilers.blobs import RECONCILER as BLOBS
from tane.services.object.reconcilers.copies import RECONCILER as COPIES
from tane.services.object.reconcilers.expiry import RECONCILER as EXPIRY
from tane.services.object.reconcilers.lifecycle import RECONCILER as LIFECYCLE
from tane.services.object.reconcilers.uploads import RECONCILER as UPLOADS

RECONCILERS = (ACCESS_LOG, BLOBS, COPIES, EXPIRY, LIFECYCLE, UPLOADS)
