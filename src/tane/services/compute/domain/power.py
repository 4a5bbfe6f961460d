"""Bringing rows and guests together: what a guest did by itself, and what a host that came back has to do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.finding import some
from tane.hosts import store as hosts
from tane.jobs import Order, pending
from tane.services.compute.domain.common import S, fault, new_id, of_project, queue
from tane.services.compute.domain.guests import replaced
from tane.services.compute.domain.scheduler import SIMULATED
from tane.services.compute.domain.states import POWER_OF_GUEST, RUNNING
from tane.services.compute.orders import REBOOT_SERVER, STOP_SERVER, RebootServer, ServerParams
from tane.services.compute.store import migrations, servers
from tane.wire.documents import GuestState

log = structlog.get_logger()

GONE: tuple[GuestState, ...] = ("stopped", "crashed")
LOST = "Its disks are no longer on its host. A hard reboot makes it anew from its image: what was on them is lost."
CALM = timedelta(seconds=15)
"""A server that crashes sooner after something was done with it crashes again."""
SHOULD_BE_THERE = ("active", "stopped", "paused", "suspended", "rescued")


def guest_changed(core: Core, host_id: str, guest_id: str, state: GuestState) -> None:
    """A host tells that a guest stopped or crashed by itself; nothing is written for one that is not there."""
    with core.db.read() as tx:
        row = servers.get(tx, guest_id)
    if row is not None and row.host_id == host_id:
        with core.db.write() as tx:
            note_state(tx, host_id, guest_id, state)


def note_state(tx: Tx, host_id: str, guest_id: str, state: GuestState) -> bool:
    """Record what a guest did by itself, and order that one is started again which is to be there whatever happens
    (``ha:policy``) and crashed; False when the row says so already, or an action under way explains it."""
    row = servers.get(tx, guest_id)
    if row is None or row.host_id != host_id or row.task_state is not None:
        return False
    power = POWER_OF_GUEST[state]
    if state == "crashed" and row.vm_state == "active" and replaced(row) and row.updated_at + CALM < tx.now:
        _start_again(tx, row, state)
        return True
    if state in GONE and row.vm_state in ("active", "paused"):
        servers.change(tx, guest_id, vm_state="stopped", power_state=power, ended_by_itself=True)
        return True
    if row.power_state != power and row.vm_state in SHOULD_BE_THERE:
        servers.change(tx, guest_id, power_state=power)
        return True
    return False


def alike(tx: Tx, host_id: str, states: Mapping[str, GuestState], *, started: str) -> bool:
    """Whether :func:`compare` would find nothing: most passes over most hosts do not, and need not write."""
    host = hosts.get(tx, host_id)
    if host is None or host.compared != started:
        return False
    here = servers.on_host(tx, host_id)
    alone = states.keys() - {row.id for row in here}
    return not alone and all(_as_its_row_says(row, states.get(row.id, "absent")) for row in here)


def _as_its_row_says(row: Row[Any], state: GuestState) -> bool:
    if row.task_state is not None or row.vm_state not in SHOULD_BE_THERE:
        return True
    by_itself = state in GONE if row.vm_state == "active" else state == "running" and row.vm_state == "stopped"
    return not by_itself and row.power_state == POWER_OF_GUEST[state]


def compare(
    tx: Tx, host_id: str, states: Mapping[str, GuestState], *, started: str, kept: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """Compare the guests of a host with the rows and order what is needed.

    ``started``: the start of the host's agent. At the first look after it, a server which is not running is one that
    went down with its host: it is started again; not on a host that was called dead. ``kept``: the moves of which the
    host has set something aside.

    :returns: sentences about what was done, and the guests to destroy: those whose server was deleted meanwhile, or
        made again on another host when this one was called dead.
    """
    told: list[str] = []
    host = hosts.get(tx, host_id)
    host_came_back = host is not None and not host.forced_down and hosts.compared(tx, host_id, started)
    aside = migrations.servers_of(tx, kept)
    here = servers.on_host(tx, host_id)
    for row in here:
        state = states.get(row.id, "absent")
        if _as_its_row_says(row, state) or pending(tx, f"server:{row.id}") is not None:
            continue
        if state == "absent" and row.id in aside:
            told.append(f"the guest of {row.id} is set aside, and is brought back")
        elif host_came_back and state == "absent" and row.vm_state in SHOULD_BE_THERE and _had_disks(tx, row):
            servers.change(tx, row.id, vm_state="error", power_state=POWER_OF_GUEST[state], fault=fault(LOST, 500, tx))
            told.append(f"the disks of {row.id} are gone")
        elif row.vm_state == "active" and state in (*GONE, "absent") and host_came_back:
            _start_again(tx, row, state)
            told.append(f"started {row.id} again")
        elif row.vm_state == "stopped" and state == "running":
            servers.change(tx, row.id, task_state="powering-off", power_state=RUNNING)
            _order(tx, row, STOP_SERVER, ServerParams(row.id))
            told.append(f"stopping {row.id}, which runs though it was stopped")
        elif state == "absent" and row.vm_state in SHOULD_BE_THERE:
            told.append(f"the guest of {row.id} is missing; a hard reboot makes it anew")
        elif state != "absent" and note_state(tx, host_id, row.id, state):
            told.append(f"{row.id} is {state}")
    known = servers.known(tx, states)
    placed = {row.id for row in here}
    leftover = [guest_id for guest_id in states if known.get(guest_id) is True]
    strangers = [guest_id for guest_id in states if guest_id not in known]
    moved = [guest_id for guest_id in states if known.get(guest_id) is False and guest_id not in placed]
    leftover += sorted(migrations.left_behind(tx, host_id, moved)) if moved else []
    told.extend(some([f"guest {guest_id} has no server" for guest_id in strangers]))
    told.extend(some([f"guest {guest_id} belongs to a server that is not placed here" for guest_id in moved]))
    return told, leftover


def _had_disks(tx: Tx, row: Row[Any]) -> bool:
    """Whether something of the server was on its host alone; simulated hosts keep nothing."""
    host = hosts.get(tx, row.host_id)
    return row.image_id is not None and host is not None and host.capabilities.get("hypervisor_type") != SIMULATED


def _start_again(tx: Tx, row: Row[Any], state: GuestState) -> None:
    servers.change(tx, row.id, task_state="rebooting_hard", power_state=POWER_OF_GUEST[state])
    _order(tx, row, REBOOT_SERVER, RebootServer(row.id, hard=True))


def _order(tx: Tx, row: Row[Any], order: Order[S], params: S) -> None:
    """A job that nobody asked for: it is told as its owner's."""
    queue(tx, of_project(row, f"req-{new_id()}"), order, params, owner=row.project_id)
