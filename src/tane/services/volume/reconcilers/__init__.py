"""The reconcilers of block storage."""

from tane.services.volume.reconcilers.exports import RECONCILER as EXPORTS

RECONCILERS = (EXPORTS,)
