"""Durable sagas: work that takes time, written in the same transaction as what it is about."""

from tane.jobs.loops import forever
from tane.jobs.operation import Cancelled, Operation, Permanent, Retry, Run, Step
from tane.jobs.order import Order
from tane.jobs.reconcile import Reconciler
from tane.jobs.runner import Runner
from tane.jobs.store import cancel, enqueue, pending, restate, unfinished, wake

__all__ = [
    "Cancelled",
    "Operation",
    "Order",
    "Permanent",
    "Reconciler",
    "Retry",
    "Run",
    "Runner",
    "Step",
    "cancel",
    "enqueue",
    "forever",
    "pending",
    "restate",
    "unfinished",
    "wake",
]
