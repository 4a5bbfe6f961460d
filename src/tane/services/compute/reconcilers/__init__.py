"""The reconcilers of compute."""

from tane.services.compute.reconcilers.deleted import RECONCILER as DELETED
from tane.services.compute.reconcilers.lost import RECONCILER as LOST
from tane.services.compute.reconcilers.power import RECONCILER as POWER
from tane.services.compute.reconcilers.resizes import RECONCILER as RESIZES

RECONCILERS = (POWER, DELETED, RESIZES, LOST)
