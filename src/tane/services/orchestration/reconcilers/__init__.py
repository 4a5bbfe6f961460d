"""What must stay true of stacks."""

from tane.services.orchestration.reconcilers import deadlines

RECONCILERS = (deadlines.RECONCILER, deadlines.FORGET)
