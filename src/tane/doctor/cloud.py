"""Checks of a cloud's own state that no service alone answers for."""

from __future__ import annotations

from collections.abc import Iterator

from tane.app import SERVICES
from tane.db import Tx
from tane.finding import Finding
from tane.hosts import store as hosts
from tane.jobs import store as jobs
from tane.services.identity import interface as identity
from tane.web.routes import Check


def late_jobs(tx: Tx) -> Iterator[Finding]:
    """Jobs past their deadline, and what hosts owe that are away."""
    for row in jobs.overdue(tx):
        yield Finding(
            "warning",
            f"Job {row.id} ({row.operation} of {row.resource}) is past its deadline, at attempt {row.attempt}.",
            f"Its resource is not what was asked for. Last reason: {row.error or 'see the log'}.",
            f"grep '\"job_id\": {row.id}' log/tane.log",
        )
    names = {row.id: row.name for row in hosts.all_hosts(tx)}
    for host_id in jobs.hosts_owing(tx):
        yield Finding(
            "warning",
            f"Host {names.get(host_id, host_id)} is away and owes steps of operations that went on without it.",
            "What they would delete still takes its disk.",
            "bring the host back: they are settled then",
        )


def of_nobody(tx: Tx) -> Iterator[Finding]:
    """What is left of projects that were deleted."""
    yield from identity.of_nobody(tx, [kind for service in SERVICES for kind in service.holds])


CLOUD_CHECKS: tuple[Check, ...] = (*(check for service in SERVICES for check in service.checks), of_nobody, late_jobs)
