"""Checks of a cloud's own state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from sqlalchemy import text

from tane.db import Tx
from tane.doctor.finding import Finding

CloudCheck = Callable[[Tx], Iterator[Finding]]
STUCK = timedelta(minutes=30)


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


def stuck_jobs(tx: Tx) -> Iterator[Finding]:
    rows = tx.execute(
        text(
            "SELECT id, operation, resource, attempt, error FROM job "
            "WHERE active AND (attempt > 5 OR created_at < :before)"
        ),
        {"before": tx.now - STUCK},
    )
    for row in rows:
        yield Finding(
            "warning",
            f"Job {row.id} ({row.operation} of {row.resource}) is at attempt {row.attempt}.",
            f"It is tried again until it works. Last reason: {row.error or 'see the log'}.",
            f"grep '\"job_id\": {row.id}' log/tane.log",
        )


def resources_in_error(tx: Tx) -> Iterator[Finding]:
    for table, column, words in (("server", "vm_state", "server"), ("volume", "status", "volume")):
        count = tx.scalar(text(f"SELECT count(*) FROM {table} WHERE {column} LIKE 'error%'"))
        if count:
            yield Finding(
                "warning", f"{count} {words}(s) are in error.", "Their fault field says why.", f"openstack {words} list"
            )


CLOUD_CHECKS: tuple[CloudCheck, ...] = (subnets_without_dns, stuck_jobs, resources_in_error)
