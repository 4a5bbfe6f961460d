"""Reconcilers of alarms."""

from tane.services.alarm.reconcilers.ask import RECONCILER as ASK
from tane.services.alarm.reconcilers.evaluate import RECONCILER as EVALUATE
from tane.services.alarm.reconcilers.happenings import RECONCILER as HAPPENINGS

RECONCILERS = (ASK, EVALUATE, HAPPENINGS)
