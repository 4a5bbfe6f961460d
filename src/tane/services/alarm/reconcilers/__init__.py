"""Reconcilers of alarms."""

from tane.services.alarm.reconcilers.evaluate import RECONCILER as EVALUATE
from tane.services.alarm.reconcilers.happenings import RECONCILER as HAPPENINGS

RECONCILERS = (EVALUATE, HAPPENINGS)
