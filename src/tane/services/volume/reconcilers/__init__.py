"""The reconcilers of block storage."""

from tane.services.volume.reconcilers.exports import RECONCILER as EXPORTS
from tane.services.volume.reconcilers.messages import RECONCILER as MESSAGES

RECONCILERS = (EXPORTS, MESSAGES)
