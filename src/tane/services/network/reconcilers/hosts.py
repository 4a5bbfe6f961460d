"""Brings every host's network to what the database says, and writes back what works."""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from tane.agent.documents import NetworkApplied, NetworkState
from tane.agent.errors import HostError
from tane.core import Core
from tane.hosts import HostUnreachable
from tane.jobs import Reconciler
from tane.services.network.domain import applied as results
from tane.services.network.domain.common import TOPIC
from tane.services.network.domain.desired import Snapshot, document, load
from tane.services.network.tables import network_host

Documents = dict[str, tuple[NetworkState, dict[str, str]]]


async def converge(core: Core) -> str | None:
    """One pass over all hosts: derive each document, apply it, write the outcome in one transaction.

    However many changes were made since the last pass, they are one document. The reconciler runs one pass after
    another, so a host never gets an older document after a newer one.
    """
    snapshot, documents = await core.in_thread(_derive, core)
    if not documents:
        return None
    answers = await asyncio.gather(*(_apply(core, host_id, state) for host_id, (state, _) in documents.items()))
    reports = {
        host_id: (documents[host_id][0], answer)
        for host_id, answer in zip(documents, answers, strict=True)
        if answer is not None
    }
    problems = {key: reason for _, found in documents.values() for key, reason in found.items()}
    found = results.changes(snapshot, reports, problems)
    written = await core.in_thread(_write, core, found, {host_id: answer for host_id, (_, answer) in reports.items()})
    silent = [host_id for host_id in documents if host_id not in reports]
    if not found and not written and not silent:
        return None
    text = f"revision {snapshot.revision} on {len(reports)} hosts, {len(found)} resources changed state"
    return f"{text}; no answer from {', '.join(silent)}" if silent else text


def _derive(core: Core) -> tuple[Snapshot, Documents]:
    with core.db.read() as tx:
        snapshot = load(tx)
    return snapshot, {host.id: document(snapshot, host) for host in snapshot.hosts if _reachable(core, host.id)}


def _reachable(core: Core, host_id: str) -> bool:
    try:
        return core.hosts.agent(host_id).network is not None
    except HostUnreachable:
        return False


async def _apply(core: Core, host_id: str, state: NetworkState) -> NetworkApplied | None:
    """The host's answer. None when the same call may succeed later; what never will fails every resource."""
    try:
        return await core.hosts.network(host_id).apply(state)
    except HostError as error:
        if error.transient:
            return None
        ids = [network.id for network in state.networks] + [router.id for router in state.routers]
        return NetworkApplied(revision=state.revision, failed=dict.fromkeys(ids, str(error)), summary=str(error))


def _write(core: Core, found: list[results.Change], answers: dict[str, NetworkApplied]) -> bool:
    """Write only what is new: a pass that found nothing to do leaves the database alone. True when it wrote."""
    with core.db.read() as tx:
        noted = {row.host_id: row.revision for row in tx.all(select(network_host))}
    news = {host_id: answer for host_id, answer in answers.items() if noted.get(host_id) != answer.revision}
    if not found and not news:
        return False
    with core.db.write() as tx:
        results.write(tx, found, news)
    return True


HOSTS = Reconciler("network.hosts", converge, interval=30.0, topic=TOPIC, scope="host")
