"""``chaos/run --minutes M [--seed S]``: break a real cloud at random under load, then check every invariant.

Prints each fault as it is done, each finding, and last ``chaos: K faults, L lost, O orphaned, S stuck, T running
twice, I lost intervals, D counted twice`` (hosts of whose meters that is so); exit status 1 when there is any finding.
The same seed chooses the same faults and actions; what they meet depends on timing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from chaos import faults, hosts, invariants, meters, objects, stacks
from chaos.caller import Caller
from chaos.witness import Witness
from chaos.workload import Load, Writer
from tane.cli.common import cache_folder
from tane.guest.build import build
from tests.e2e.real import RealCloud

TENANTS = ("ada", "grace")
DISK_MB = 2048
SETTLE_SECONDS = 150.0
OBJECT = "object"


def prepare(cloud: RealCloud, seed: int, flavor: str = "") -> tuple[list[Load], list[Writer]]:
    guest = build(cache_folder())
    loads = [Load(cloud, name, random.Random(f"{seed} {name}")) for name in TENANTS]
    for load in loads:
        load.image = load.tenant.upload_image(guest)
        load.flavor = flavor or load.flavor
    writers = [Writer(load) for load in loads]
    for writer in writers:
        writer.prepare()
    return loads, writers


def disturb(cloud: RealCloud, dice: random.Random, minutes: float, chosen: Sequence[tuple[faults.Fault, int]]) -> int:
    """Faults at random moments; returns how many."""
    done, until = 0, time.monotonic() + minutes * 60
    choices, weights = zip(*chosen, strict=True)
    while time.monotonic() < until:
        time.sleep(dice.uniform(1.0, 5.0))
        [fault] = dice.choices(choices, weights)
        told = fault(cloud, dice)
        if told is not None:
            done += 1
            print(f"{done}: {told}", flush=True)
    return done


def check(cloud: RealCloud, loads: list[Load], writers: list[Writer], *, many: bool = False) -> invariants.Findings:
    password = (cloud.folder / "admin-password").read_text().strip()
    with contextlib.closing(Caller(cloud.url, "admin", password, "admin")) as admin:
        return _examine(cloud, admin, loads, writers, many)


def _examine(
    cloud: RealCloud, admin: Caller, loads: list[Load], writers: list[Writer], many: bool
) -> invariants.Findings:
    found = invariants.Findings()
    for writer in writers:
        print(f"{writer.load.tenant.name}: {writer.acknowledged + 1} writes acknowledged, {writer.load.done} actions")
        found.lost += writer.missing(SETTLE_SECONDS)
    rows, found.stuck = invariants.settle(cloud, admin, loads, SETTLE_SECONDS)
    found.stuck += [f"unexpected error: {text}" for load in loads for text in load.unexpected]
    found.lost += invariants.acknowledged(loads)
    found.stuck += stacks.all_go(admin, loads, SETTLE_SECONDS)
    found.orphaned += stacks.left(admin)
    rows, more = invariants.settle(cloud, admin, loads, SETTLE_SECONDS)
    found.stuck += [one for one in more if one not in found.stuck]
    found.orphaned += invariants.quotas(admin, loads, rows)
    found.orphaned += invariants.claims(admin)
    until = time.monotonic() + SETTLE_SECONDS
    while True:  # Reconcilers mend what a crash left; they have their own pace.
        missing, extra = hosts.compare(cloud, rows) if many else invariants.kernel(cloud, rows)
        if not (missing or extra) or time.monotonic() > until:
            break
        time.sleep(1.0)
    found.lost += sorted(missing)
    found.orphaned += sorted(extra)
    return found


@contextlib.contextmanager
def own_cloud(*, keep: bool, many: bool = False, for_objects: bool = False) -> Iterator[RealCloud]:
    """A cloud on a small disk of its own; gone afterwards unless it is to be kept for a look."""
    disk = Path(tempfile.mkdtemp(prefix="tane-chaos-"))
    faults.mount_state_disk(disk, DISK_MB)
    cloud = RealCloud(disk / "state")
    os.environ["TANE_DISK_ALLOCATION_RATIO"] = "16"  # The disk is small so that it can be filled, not for the servers.
    cloud.folder.mkdir()
    if for_objects:
        objects.prepare(cloud)
    else:
        if many:
            hosts.prepare(cloud)
        meters.prepare(cloud)
    try:
        cloud.up()
        yield cloud
    finally:
        if keep:
            print(f"kept: tane down --state {cloud.folder} --purge; umount {disk}")
        else:
            cloud.tane("down")
            if for_objects:
                objects.clear(cloud)
            cloud.tane("down", "--purge")
            faults.unmount_state_disk(disk)
            disk.rmdir()


def run(
    minutes: float, seed: int, *, only: Sequence[str] = (), keep: bool = False, count: int = 0
) -> invariants.Findings:
    """One whole run on a cloud of its own; ``count``: of hosts it has besides this machine."""
    table = hosts.FAULTS if count else faults.FAULTS
    with own_cloud(keep=keep, many=bool(count)) as cloud:
        loads, writers = prepare(cloud, seed, hosts.join(cloud, count) if count else "")
        if count:
            meters.join(cloud)
        books = meters.Books(cloud.folder)
        mover = hosts.Mover(cloud, random.Random(f"{seed} mover"))
        stop = threading.Event()
        witness = Witness(cloud)
        workers: list[Load | Writer | Witness | hosts.Mover] = [*loads, *writers, witness, *([mover] if count else [])]
        reading = threading.Event()
        reader = threading.Thread(target=books.run, args=(reading,), daemon=True)
        reader.start()
        threads = [threading.Thread(target=one.run, args=(stop,)) for one in workers]
        for thread in threads:
            thread.start()
        try:
            chosen = [table[name] for name in only or table]
            done = disturb(cloud, random.Random(seed), minutes, chosen)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        if count:
            hosts.all_back(cloud)
            mover.settle(SETTLE_SECONDS)
            print(f"{mover.moved} moves asked for")
        mover.caller.close()
        found = check(cloud, loads, writers, many=bool(count))
        for load in loads:
            load.caller.close()
        found.twice += witness.seen
        reading.set()
        reader.join()
        books.settle(SETTLE_SECONDS)
        found.lost_intervals, found.doubled = books.lost, books.doubled
        print(f"{books.count} intervals are written down")
        _sum_up(done, found)
    return found


def run_objects(minutes: float, seed: int, *, keep: bool = False) -> invariants.Findings:
    """A run about objects in three copies, on a cloud of its own with three machines."""
    with own_cloud(keep=keep, for_objects=True) as cloud:
        done, found = objects.run(cloud, minutes, seed)
        _sum_up(done, found)
    return found


def _sum_up(done: int, found: invariants.Findings) -> None:
    _tell("lost", found.lost)
    _tell("orphaned", found.orphaned)
    _tell("stuck", found.stuck)
    _tell("running twice", found.twice)
    _tell("lost intervals", found.lost_intervals)
    _tell("counted twice", found.doubled)
    print(
        f"chaos: {done} faults, {len(found.lost)} lost, {len(found.orphaned)} orphaned, {len(found.stuck)} stuck, "
        f"{len(found.twice)} running twice, {len(found.lost_intervals)} lost intervals, "
        f"{len(found.doubled)} counted twice",
        flush=True,
    )


def _tell(kind: str, lines: Iterable[str]) -> None:
    for line in lines:
        print(f"{kind}: {line}")


def main() -> int:
    # Being told to end must not leave a cloud behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(prog="chaos/run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hosts", type=int, default=0, help="so many machines join, are lost and come back")
    parser.add_argument(
        "--only", default="", help="of these faults (default: all); object: of three hosts of objects alone"
    )
    parser.add_argument("--keep", action="store_true", help="leave the cloud as it is in the end, for a look")
    given = parser.parse_args()
    if given.only == OBJECT:
        found = run_objects(given.minutes, given.seed, keep=given.keep)
        return 1 if found.lost or found.orphaned or found.stuck else 0
    found = run(
        given.minutes, given.seed, only=given.only.split(",") if given.only else (), keep=given.keep, count=given.hosts
    )
    return 1 if found.any else 0


if __name__ == "__main__":
    sys.exit(main())
