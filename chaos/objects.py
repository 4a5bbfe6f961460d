"""Chaos on hosts that keep objects: killed, frozen, without power, their disks filled, their files changed, under load.

Three machines (``tane dev hosts``) keep three copies, each on a small disk of its own. Writers put, read and delete
objects of the policy ``three``. In the end every acknowledged object must be there as it was sent, nothing that was
deleted shown, and of the changed files none be left: the scrubber must find what no reader did.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from chaos import faults, hosts
from chaos.invariants import Findings
from tane.linux.machines import Machine
from tests.e2e.real import RealCloud

COUNT = 3
HOST_DISK_MB = 500
SIZES = (17 << 10, 200 << 10, 1 << 20, (2 << 20) + 5)
MOST_BYTES = 300 << 20
"""Of all that is written: what was deleted stays on the disks for ten minutes."""
WRITERS, FEW = 3, 20
AWAY_SECONDS, FULL_SECONDS = (1.0, 12.0), (2.0, 8.0)
REPAIR_SECONDS = 240
CONTAINER = "chaos"


def kept(machine: Machine) -> Path:
    return machine.folder / "host" / "objects"


def prepare(cloud: RealCloud) -> None:
    """Before the machines join: a disk for each."""
    hosts.prepare(cloud)
    for number in range(1, COUNT + 1):
        folder = cloud.folder / f"m{number}" / "host" / "objects"
        folder.mkdir(parents=True)
        folder.parent.parent.chmod(0o700)
        faults.mount_state_disk(folder, HOST_DISK_MB)
        folder.chmod(0o700)


def clear(cloud: RealCloud) -> None:
    for number in range(1, COUNT + 1):
        faults.unmount_state_disk(cloud.folder / f"m{number}" / "host" / "objects")


# --------------------------------------------------------------------------------------------------------- workload


@dataclass
class Writer:
    """``there``: the digests of what was acknowledged; ``gone``: what was deleted, and that was acknowledged. Names are
    used once: of what nobody answered nothing is known."""

    cloud: RealCloud
    number: int
    dice: random.Random
    there: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    done: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    reads: int = 0
    written: int = 0

    def connect(self) -> httpx.Client:
        admin = self.cloud.admin()
        base = f"{self.cloud.url}/object-store/v1/AUTH_{admin.project_id}/{CONTAINER}"
        return httpx.Client(base_url=base, headers={"X-Auth-Token": admin._token}, timeout=60)

    def run(self, stop: threading.Event) -> None:
        with self.connect() as client:
            while not stop.wait(self.dice.uniform(0.0, 0.1)):
                try:
                    self._step(client)
                except (httpx.HTTPError, OSError) as error:
                    self.refused[type(error).__name__] += 1

    def _step(self, client: httpx.Client) -> None:
        chance = self.dice.random()
        if (chance < 0.5 and self.written < MOST_BYTES // WRITERS) or not self.there:
            self._put(client)
        elif chance < 0.9 or len(self.there) < FEW:
            name = self.dice.choice(list(self.there))
            if not self.read(client, name):
                self.refused["a GET"] += 1
        else:
            name = self.dice.choice(list(self.there))
            del self.there[name]
            if client.delete(f"/{name}").status_code == 204:
                self.gone.add(name)

    def _put(self, client: httpx.Client) -> None:
        self.done += 1
        name, content = f"{self.number}-{self.done}", self.dice.randbytes(self.dice.choice(SIZES))
        answer = client.put(f"/{name}", content=content)
        if answer.status_code != 201:
            self.refused[f"a PUT, {answer.status_code}"] += 1
            return
        self.written += len(content)
        self.there[name] = hashlib.sha256(content).hexdigest()

    def read(self, client: httpx.Client, name: str) -> bool:
        """Whether it could be read; what comes whole must be what was sent."""
        answer = client.get(f"/{name}")
        if answer.status_code == 404:
            self.wrong.append(f"object {name} is not there")
        elif answer.status_code == 200:
            self.reads += 1
            if hashlib.sha256(answer.content).hexdigest() != self.there[name]:
                self.wrong.append(f"object {name} is not what was sent")
        return answer.status_code == 200


# --------------------------------------------------------------------------------------------------------- what breaks


class Breaker:
    """``planted``: blobs of which one copy was changed, and the digest of what it was."""

    def __init__(self, cloud: RealCloud, dice: random.Random) -> None:
        self.cloud, self.dice = cloud, dice
        self.planted: dict[str, str] = {}

    def run(self, seconds: float) -> int:
        kinds = (self.kill, self.freeze, self.power, self.fill, self.rot, self.rot, self.kill_cloud)
        done, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(self.dice.uniform(0.5, 2.0))
            if told := self.dice.choice(kinds)():
                done += 1
                print(f"{done}: {told}", flush=True)
        return done

    def _machine(self) -> Machine:
        return self.dice.choice(hosts.machines(self.cloud))

    def kill(self) -> str | None:
        return hosts.kill_agent(self.cloud, self.dice)

    def kill_cloud(self) -> str:
        return faults.kill_cloud(self.cloud, self.dice)

    def freeze(self) -> str | None:
        machine, away = self._machine(), self.dice.uniform(*AWAY_SECONDS)
        if (pid := hosts.agent(machine)) is None:
            return None
        os.kill(pid, signal.SIGSTOP)
        time.sleep(away)
        os.kill(pid, signal.SIGCONT)
        return f"the agent of {machine.name} stood still for {away:.0f} s"

    def power(self) -> str:
        machine, away = self._machine(), self.dice.uniform(*AWAY_SECONDS)
        hosts.dev.kill(machine)
        time.sleep(away)
        machine.start()
        hosts.up(machine)
        return f"{machine.name} was without power for {away:.0f} s"

    def fill(self) -> str:
        machine, full = self._machine(), self.dice.uniform(*FULL_SECONDS)
        filler = kept(machine) / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(1 << 20))
        time.sleep(full)
        filler.unlink()
        return f"the disk of {machine.name} was full for {full:.0f} s"

    def rot(self) -> str | None:
        """Change a byte of one of three copies; of no blob twice."""
        folders = [kept(machine) / "blobs" for machine in hosts.machines(self.cloud)]
        names = [{path.name: path for path in folder.rglob("*") if path.is_file()} for folder in folders]
        common = sorted(set.intersection(*(set(each) for each in names)) - set(self.planted))
        if not common:
            return None
        blob_id, number = self.dice.choice(common), self.dice.randrange(COUNT)
        path = names[number][blob_id]
        content = bytearray(path.read_bytes())
        self.planted[blob_id] = hashlib.sha256(content).hexdigest()
        at = self.dice.randrange(len(content))
        with path.open("r+b") as file:
            file.seek(at)
            file.write(bytes([content[at] ^ 0xFF]))
        return f"changed byte {at} of blob {blob_id} on {hosts.machines(self.cloud)[number].name}"

    def left(self) -> list[str]:
        """What was changed and still is, of blobs that something is made of."""
        found = []
        with contextlib.closing(sqlite3.connect(f"file:{self.cloud.folder / 'objects.db'}?mode=ro", uri=True)) as rows:
            living = {row[0] for row in rows.execute("SELECT id FROM blob WHERE dead_at IS NULL")}
        for machine in hosts.machines(self.cloud):
            for path in (kept(machine) / "blobs").rglob("*"):
                wanted = self.planted.get(path.name) if path.name in living else None
                if wanted is not None and hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
                    found.append(f"the rot of blob {path.name} on {machine.name} was not found")
        return found


# ------------------------------------------------------------------------------------------------------------- the run


def run(cloud: RealCloud, minutes: float, seed: int) -> tuple[int, Findings]:
    """Faults under load; how many, and what was found wrong in the end."""
    cloud.tane("dev", "hosts", str(COUNT))
    writers = [Writer(cloud, number, random.Random(f"{seed} {number}")) for number in range(WRITERS)]
    with writers[0].connect() as client:
        made = client.put("", headers={"X-Storage-Policy": "three"})
        assert made.status_code == 201, made.text
    breaker, stop = Breaker(cloud, random.Random(seed)), threading.Event()
    threads = [threading.Thread(target=writer.run, args=(stop,)) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        done = breaker.run(minutes * 60)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    hosts.all_back(cloud)
    return done, _examine(cloud, writers, breaker)


def _examine(cloud: RealCloud, writers: list[Writer], breaker: Breaker) -> Findings:
    found = Findings()
    began = time.monotonic()
    cloud.tane("object", "scrub")
    told = _repaired(cloud)
    if "all copies are good" not in told:
        found.stuck.append(told.strip())
    mended = time.monotonic() - began
    with writers[0].connect() as client:
        listed = set(client.get("?limit=10000").text.split())
    for writer in writers:
        with writer.connect() as client:
            unread = [name for name in list(writer.there) if not writer.read(client, name)]
        found.lost += [f"object {name} cannot be read" for name in unread] + writer.wrong
        found.lost += [f"object {name} is not listed" for name in writer.there.keys() - listed]
        found.orphaned += [f"object {name} was deleted, and is listed" for name in writer.gone & listed]
    found.lost += breaker.left()
    there, put = sum(len(writer.there) for writer in writers), sum(writer.done for writer in writers)
    reads, refused = sum(writer.reads for writer in writers), Counter[str]()
    for writer in writers:
        refused.update(writer.refused)
    told = ", ".join(f"{count} {what}" for what, count in refused.most_common()) or "none"
    print(
        f"{put} objects put, {there} there in the end, {reads} times read whole; "
        f"{len(breaker.planted)} copies changed, all good after {mended:.0f} s; refused or cut off: {told}"
    )
    return found


def _repaired(cloud: RealCloud) -> str:
    """Repair takes longer than a command of the cloud may."""
    told = ""
    for _ in range(REPAIR_SECONDS // 60):
        with contextlib.suppress(subprocess.TimeoutExpired):
            told = cloud.tane("object", "repair", "--seconds", "60", check=False)
        if "all copies are good" in told:
            break
    return told
