"""What must stay true of stacks."""

from tane.services.orchestration.reconcilers import deadlines, health

RECONCILERS = (deadlines.RECONCILER, deadlines.FORGET, health.RECONCILER)
