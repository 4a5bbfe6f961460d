"""Reconcilers of metrics."""

from tane.services.metric.reconcilers.fold import RECONCILER as FOLD
from tane.services.metric.reconcilers.inventory import RECONCILER as INVENTORY
from tane.services.metric.reconcilers.send import RECONCILER as SEND

RECONCILERS = (FOLD, INVENTORY, SEND)
