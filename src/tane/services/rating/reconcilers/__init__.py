"""Reconcilers of rating."""

from tane.services.rating.reconcilers.budgets import RECONCILER as BUDGETS
from tane.services.rating.reconcilers.facts import RECONCILER as FACTS

RECONCILERS = (FACTS, BUDGETS)
