"""kill -9 under uploads and deletions: what was acknowledged is so, nothing is half there, and a backup holds it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from tane.cli.common import State
from tests.ports import free_port

SEED = 7
ROUNDS = 3
SIZES = (10, 20_000, 300_000)


def tane(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tane.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def up(folder: Path, port: int) -> State:
    started = tane("up", "--state", folder, "--mode", "simulated", "--port", port)
    assert started.returncode == 0, started.stderr
    return State.of(folder)


def client(cloud: State, port: int, held: contextlib.ExitStack) -> tuple[httpx.Client, str]:
    """A client that is closed with ``held``, and the path of a container."""
    password = {"user": {"name": "admin", "domain": {"id": "default"}, "password": cloud.admin_password()}}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    body = {"auth": {"identity": {"methods": ["password"], "password": password}, "scope": scope}}
    base = f"http://127.0.0.1:{port}"
    answer = httpx.post(f"{base}/identity/v3/auth/tokens", json=body, timeout=60)
    token = answer.headers["x-subject-token"]
    path = f"/object-store/v1/AUTH_{answer.json()['token']['project']['id']}/c"
    return held.enter_context(httpx.Client(base_url=base, headers={"X-Auth-Token": token}, timeout=60)), path


def body_of(number: int) -> bytes:
    return f"{number:08}".encode() * (SIZES[number % len(SIZES)] // 8)


class Writer(threading.Thread):
    """Puts objects, deletes every third, until the cloud is gone; remembers what was acknowledged."""

    def __init__(self, http: httpx.Client, path: str, first: int) -> None:
        super().__init__()
        self._http, self._path, self._first = http, path, first
        self.there: set[int] = set()
        self.gone: set[int] = set()
        self.unknown: set[int] = set()

    def run(self) -> None:
        with contextlib.suppress(httpx.HTTPError):
            for number in range(self._first, self._first + 10_000):
                self.unknown.add(number)
                done = self._http.put(f"{self._path}/{number}", content=body_of(number))
                assert done.status_code == 201, done.text
                if number % 3 == 0:
                    done = self._http.delete(f"{self._path}/{number}")
                    assert done.status_code == 204, done.text
                    self.gone.add(number)
                else:
                    self.there.add(number)
                self.unknown.remove(number)


def test_kills_lose_nothing_acknowledged_and_a_backup_holds_it(tmp_path: Path) -> None:
    with contextlib.ExitStack() as held:
        _kill_and_look(tmp_path, held)


def _kill_and_look(tmp_path: Path, held: contextlib.ExitStack) -> None:
    port, dice, folder = free_port(), random.Random(SEED), tmp_path / "here"
    cloud = up(folder, port)
    try:
        http, path = client(cloud, port, held)
        assert http.put(path).status_code == 201
        there: set[int] = set()
        gone: set[int] = set()
        unknown: set[int] = set()
        for number in range(ROUNDS):
            writer = Writer(http, path, number * 100_000)
            writer.start()
            time.sleep(dice.uniform(0.3, 1.0))  # the moment of the crash is what is varied here
            os.kill(int(cloud.pidfile.read_text().split()[0]), signal.SIGKILL)
            writer.join()
            there, gone, unknown = there | writer.there, gone | writer.gone, unknown | writer.unknown
            cloud = up(folder, port)
            http, path = client(cloud, port, held)
        assert there and gone
        check(http, path, there, gone, unknown)
        kept = tmp_path / "kept.tar"
        done = tane("backup", kept, "--state", folder)
        assert done.returncode == 0, done.stderr
    finally:
        tane("down", "--state", folder)
    assert tane("restore", kept, "--state", tmp_path / "there").returncode == 0
    cloud = up(tmp_path / "there", port)
    try:
        http, path = client(cloud, port, held)
        check(http, path, there, gone, unknown)
    finally:
        tane("down", "--state", tmp_path / "there")


def check(http: httpx.Client, path: str, there: set[int], gone: set[int], unknown: set[int]) -> None:
    listed = http.get(f"{path}?format=json").json()
    names = {int(entry["name"]) for entry in listed}
    assert there <= names and not gone & names and names <= there | unknown
    for number in names:
        assert http.get(f"{path}/{number}").content == body_of(number)
    shown = http.head(path).headers
    assert int(shown["x-container-object-count"]) == len(listed)
    assert int(shown["x-container-bytes-used"]) == sum(entry["bytes"] for entry in listed)
