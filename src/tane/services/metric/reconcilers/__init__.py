"""Reconcilers of metrics."""

from tane.services.metric.reconcilers.fold import RECONCILER as FOLD
from tane.services.metric.reconcilers.inventory import RECONCILER as INVENTORY

RECONCILERS = (FOLD, INVENTORY)
