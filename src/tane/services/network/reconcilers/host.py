"""Bringing one host's network to what the database says, and writing back what works there."""

from __future__ import annotations

import asyncio

from msgspec import structs

from tane.core import Core
from tane.hosts import HostUnreachable
from tane.services.network.domain import applied as results
from tane.services.network.domain.desired import Held, Snapshot, document, load
from tane.services.network.store import convergence as store
from tane.wire.documents import NetworkApplied, NetworkState
from tane.wire.errors import HostError, OlderRevision, WholeNeeded
from tane.wire.grammar import as_reason

APPLY_SECONDS = 60.0
"""A host that has not applied a document by then is taken for one that does not answer."""


class Silent(Exception):
    """The host does not answer, or cannot apply anything now: the same may succeed later."""


async def enter(core: Core, host_id: str) -> None:
    """The host's row, when it is not there: from then on it is told of changes."""

    def write() -> None:
        with core.db.read() as tx:
            if host_id in {row.host_id for row in store.hosts(tx)}:
                return
        with core.db.write() as tx:
            store.enter(tx, host_id)

    await core.in_thread(write)


async def apply_all(
    core: Core, host_id: str, turns: asyncio.Semaphore, held: Held | None = None
) -> tuple[NetworkApplied, Held, int]:
    """Derive the host's document (all of it, or all that one which has ``held`` lacks), apply it, write back what it
    reports. ``turns`` bounds how many hosts' documents are derived at a time: requests need the threads, too.

    A host may have seen a later document. Of this database? Then somebody else told it. Of one that a backup has
    replaced? Then it gets this one in place of what it has: what one host says counts for no other.

    :returns: its answer, what it holds now, and how many resources changed state. :raises Silent: there is no answer.
    :raises WholeNeeded: it does not have what it was thought to hold.
    """
    try:
        return await _apply_all(core, host_id, turns, held)
    except OlderRevision as error:
        if error.held is None or await core.in_thread(_number, core) >= error.held:
            raise Silent(str(error)) from error
        replaced = error.held
    try:
        return await _apply_all(core, host_id, turns, None, replaced)
    except OlderRevision as error:
        raise Silent(str(error)) from error


async def _apply_all(
    core: Core, host_id: str, turns: asyncio.Semaphore, held: Held | None, replaced: int | None = None
) -> tuple[NetworkApplied, Held, int]:
    """``replaced``: the revision, later than any of this database, that the host is to forget."""
    reachable(core, host_id)
    async with turns:
        snapshot, state, problems = await core.in_thread(_derive, core, host_id, held)
    try:
        answer = await apply(core, host_id, structs.replace(state, replaces=replaced))
    except (OlderRevision, WholeNeeded):
        raise
    except HostError as error:
        if error.transient:
            raise Silent(str(error)) from error
        ids = [network.id for network in state.networks] + [router.id for router in state.routers]
        told = as_reason(str(error))
        answer = NetworkApplied(revision=state.revision, failed=dict.fromkeys(ids, told), summary=told)
    count = await core.in_thread(_report, core, snapshot, answer, problems)
    return answer, Held(answer.revision, frozenset(snapshot.interests())), count


def nothing_new(revision: int) -> NetworkState:
    """For a host that has this revision: apply it again, against drift."""
    return NetworkState(revision=revision, since=revision)


async def apply(core: Core, host_id: str, state: NetworkState) -> NetworkApplied:
    """:raises Silent: no answer in time, or none to this document. :raises HostError: what the host says."""
    try:
        async with asyncio.timeout(APPLY_SECONDS):
            answer = await core.hosts.network(host_id).apply(state)
    except TimeoutError:
        raise Silent(f"no answer within {APPLY_SECONDS:.0f} s") from None
    if answer.revision != state.revision:
        raise Silent(f"the answer is to revision {answer.revision}, not {state.revision}")
    return answer


def reachable(core: Core, host_id: str) -> None:
    """:raises Silent: nobody answers for the host's networks."""
    try:
        if core.hosts.agent(host_id).network is not None:
            return
    except HostUnreachable as error:
        raise Silent(str(error)) from None
    raise Silent("its agent has no networks")


def _derive(core: Core, host_id: str, held: Held | None) -> tuple[Snapshot, NetworkState, dict[str, str]]:
    """The host's document, once it is written what it is made of: no later change passes the host by."""
    while True:
        with core.db.read() as tx:
            snapshot = load(tx, host_id, held)
        new = snapshot.interests() - snapshot.known
        if not new:
            break
        with core.db.write() as tx:
            store.add_interests(tx, host_id, new - store.interests(tx, host_id))
            # What changed since the look may have concerned the host by what was not written yet: look again.
            as_seen = store.number(tx)[0] == snapshot.number
        snapshot.known |= new
        if as_seen:
            break
    return (snapshot, *document(snapshot))


def _number(core: Core) -> int:
    with core.db.read() as tx:
        return store.number(tx)[0]


def _report(core: Core, snapshot: Snapshot, answer: NetworkApplied, problems: dict[str, str]) -> int:
    """Write only what is new: a pass that found nothing to do leaves the database alone."""
    found = results.changes(snapshot, answer, problems)
    if found or snapshot.known - snapshot.interests() or snapshot.reported != answer.revision:
        with core.db.write() as tx:
            results.write(tx, found)
            results.let_go(tx, snapshot)
            store.applied(tx, [(snapshot.host_id, answer.revision, answer.summary)])
    return len(found)
