"""``tane object``: copies of objects on hosts."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from tane.cli.common import DEFAULT_STATE, State
from tane.cli.options import StateOption

if TYPE_CHECKING:
    from tane.db import Database
    from tane.services.object.checks import OnHost

app = typer.Typer(no_args_is_help=True, help="Copies of objects on hosts: look at them, verify them, wait for repair.")
STATES = ("good", "check", "missing", "bad", "gone")
LOOK_SECONDS = 2.0
AT_ONCE = 500
SecondsOption = Annotated[float, typer.Option("--seconds", help="How long to wait.", min=0.0)]


@contextmanager
def _databases(state: StateOption) -> Iterator[tuple[Database, Database]]:
    """The cloud's, and that of its objects."""
    from tane.db import Database
    from tane.services.object import checks

    files = State.of(state)
    files.require()
    config = files.config()
    control = Database(config.database, readers=1)
    try:
        for objects in checks.opened(config):
            yield control, objects
            return
        print("tane: there are no objects yet")
        raise typer.Exit
    finally:
        control.close()


def _by_host(control: Database, objects: Database) -> list[OnHost]:
    from tane.services.object import checks

    with control.read() as tx, objects.read() as own:
        return checks.by_host(tx, own)


@app.command()
def status(state: StateOption = DEFAULT_STATE) -> None:
    """Which hosts keep copies of objects, and how these are."""
    with _databases(state) as (control, objects):
        rows: list[tuple[str, ...]] = [("HOST", "STATE", "GOOD", "TO VERIFY", "MISSING", "ROTTEN", "GONE", "GIB")]
        for host in _by_host(control, objects):
            said = ("up" if host.up else "down") + ("" if host.enabled else ", disabled")
            said += ", its copies do not count" if host.out else ""
            counts = (str(host.copies.get(name, 0)) for name in STATES)
            rows.append((host.name, said, *counts, f"{host.good_bytes / (1 << 30):.1f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _open(host: OnHost) -> int:
    """Copies that are not as they should be, or not where."""
    stays = host.up and host.enabled
    return sum(count for name, count in host.copies.items() if name != "good" or not stays)


def _waits(found: list[OnHost]) -> str:
    """What the copies wait for that are still to be made, verified, or made elsewhere."""
    from tane.services.object.drivers.hosts import COPIES

    told = []
    for host in found:
        if not _open(host):
            continue
        counts = [f"{count} {name}" for name, count in sorted(host.copies.items()) if count and name != "check"]
        counts += [f"{host.copies['check']} to verify"] if host.copies.get("check") else []
        how = (
            "dead, cut off or removed" if host.out else "down" if not host.up else "up" if host.enabled else "disabled"
        )
        told.append(f"{host.name} ({how}): {', '.join(counts)}")
    if (taking := sum(host.up and host.enabled and not host.out for host in found)) < COPIES:
        told.append(f"hosts that take copies: {taking} of {COPIES}; another one with the role object is needed")
    return "; ".join(told)


@app.command()
def scrub(state: StateOption = DEFAULT_STATE) -> None:
    """Have every copy verified by its host now; the cloud does some of them all the time."""
    from tane.services.object.store import copies

    with _databases(state) as (_, objects):
        after = ""
        while True:
            # Some at a time: uploads go on between.
            with objects.write() as tx:
                after = copies.check(tx, after, AT_ONCE)
            if not after:
                break
    print("tane: all copies will be verified: ./tane object status")


@app.command()
def repair(state: StateOption = DEFAULT_STATE, seconds: SecondsOption = 600.0) -> None:
    """Wait until no copy is missing, rotten, to be verified, or on a host that leaves: the cloud makes them.

    Exit status 1: in vain.
    """
    until, told = time.monotonic() + seconds, ""
    with _databases(state) as (control, objects):
        while True:
            found = _by_host(control, objects)
            open_ = sum(_open(host) for host in found)
            if not open_:
                print("tane: all copies are good")
                return
            if time.monotonic() > until:
                sys.exit(
                    f"tane: {open_} copies are still missing, rotten, to be verified, or on hosts that are down or "
                    f"disabled. {_waits(found)}"
                )
            if (now := _waits(found)) != told:
                told = now
                print(f"tane: waits for {open_} copies. {told}", file=sys.stderr)
            time.sleep(LOOK_SECONDS)
