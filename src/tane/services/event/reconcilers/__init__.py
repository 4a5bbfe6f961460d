"""The reconcilers of events."""

from tane.services.event.reconcilers.retention import RECONCILER as RETENTION

RECONCILERS = (RETENTION,)
