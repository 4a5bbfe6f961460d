"""Checks of a cloud's own state."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import text

from tane.db import Tx
from tane.doctor.finding import Finding
from tane.jobs import store as jobs

CloudCheck = Callable[[Tx], Iterator[Finding]]


def subnets_without_dns(tx: Tx) -> Iterator[Finding]:
    """Names do not resolve in servers whose subnet hands out no DNS server."""
    rows = tx.execute(
        text(
            "SELECT s.id, s.name, s.cidr FROM subnet s JOIN network n ON n.id = s.network_id "
            "WHERE s.enable_dhcp AND NOT n.external AND CAST(s.dns_nameservers AS TEXT) = '[]'"
        )
    )
    for row in rows:
        yield Finding(
            "warning",
            f"Subnet {row.name or row.id} ({row.cidr}) has no DNS server.",
            "Its servers resolve each other's names only.",
            f"openstack subnet set --dns-nameserver 9.9.9.9 {row.id}",
        )


def late_jobs(tx: Tx) -> Iterator[Finding]:
    """Jobs past their deadline, and what hosts owe that are away."""
    for row in jobs.overdue(tx):
        yield Finding(
            "warning",
            f"Job {row.id} ({row.operation} of {row.resource}) is past its deadline, at attempt {row.attempt}.",
            f"Its resource is not what was asked for. Last reason: {row.error or 'see the log'}.",
            f"grep '\"job_id\": {row.id}' log/tane.log",
        )
    for host_id in jobs.hosts_owing(tx):
        yield Finding(
            "warning",
            f"Host {host_id} is away and owes steps of operations that went on without it.",
            "What they would delete still takes its disk.",
            "bring the host back: they are settled then",
        )


def resources_in_error(tx: Tx) -> Iterator[Finding]:
    for table, column, words in (("server", "vm_state", "server"), ("volume", "status", "volume")):
        count = tx.scalar(text(f"SELECT count(*) FROM {table} WHERE {column} LIKE 'error%'"))
        if count:
            status = "error" if words == "volume" else "ERROR"
            mend = f"openstack {words} list --all-projects --status {status}, then show"
            yield Finding("warning", f"{count} {words}(s) are in error.", "Their fault field says why.", mend)


CLOUD_CHECKS: tuple[CloudCheck, ...] = (subnets_without_dns, late_jobs, resources_in_error)
