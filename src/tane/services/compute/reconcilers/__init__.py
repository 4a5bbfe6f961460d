"""The reconcilers of compute."""

from tane.services.compute.reconcilers.power import RECONCILER as POWER

RECONCILERS = (POWER,)
