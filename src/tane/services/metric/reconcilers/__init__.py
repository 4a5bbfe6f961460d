"""Reconcilers of metrics."""

from tane.services.metric.reconcilers.fold import RECONCILER as FOLD

RECONCILERS = (FOLD,)
