"""The demo ends well in each of the four ways a machine may allow, and ``down`` leaves nothing of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tane import ids
from tane.linux import netns
from tests.e2e.real import MARKS, wait_for
from tests.ports import free_port
from tests.running import running_below

pytestmark = MARKS

HOSTS = "hosts"
"""As root, with one more host that joins."""
LEFT_OUT = {"root": None, HOSTS: None, "userns": None, "user": "user-mode network", "simulated": "hosts are simulated"}


def tane(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tane.cli", arguments[0], "--state", str(folder), *arguments[1:]]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)


def processes(folder: Path) -> list[str]:
    """Command lines of running programs that name the cloud's folder, and programs that run in it."""
    found = [name for _, name, _ in running_below(folder)]
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if entry.name.isdigit() and f"{folder}/" in command and "pytest" not in command.split(str(folder))[0]:
            found.append(command)
    return found


def assert_server_comes_back(folder: Path) -> None:
    """The demo's server runs again by itself, as `down` says."""
    ask = ("openstack", "server", "list", "--all-projects", "-f", "value", "-c", "Status")
    wait_for("the servers are started again", lambda: set(tane(folder, *ask).stdout.split()) == {"ACTIVE"}, 90)


BY_NIGHT = (HOSTS, "user", "root")
"""By day all else that has a real guest runs as root."""


@pytest.mark.parametrize(
    "mode",
    [
        *(pytest.param(mode, marks=pytest.mark.nightly) for mode in BY_NIGHT),
        *(mode for mode in LEFT_OUT if mode not in BY_NIGHT),
    ],
)
def test_the_demo_ends_well_and_down_leaves_nothing(mode: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    # Paths of sockets end at 107 bytes.
    folder = tmp_path_factory.mktemp(mode[:2])
    try:
        chosen = ("--mode", "root", "--hosts", "1") if mode == HOSTS else ("--mode", mode)
        done = tane(folder, "demo", *chosen, "--port", str(free_port()))
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        last = done.stdout.strip().splitlines()[-1]
        assert last.startswith("demo: ok")
        assert ("login" in last) == (mode != "simulated")
        told = LEFT_OUT[mode]
        assert told is None or told in done.stdout
        if mode == "userns":
            assert "tx-" in tane(folder, "shell", "--", "ip", "-brief", "link").stdout
        ledger = folder / "host" / "network" / "namespaces"
        made = set(ledger.read_text().split()) if mode in ("root", HOSTS) else set()
        assert (mode not in ("root", HOSTS)) or made & netns.names()
        if mode == HOSTS:
            assert "from the loss of the host to its server's answer" in done.stdout
            assert tane(folder, "down").returncode == 0
            assert tane(folder, "up").returncode == 0
            assert_server_comes_back(folder)
            made = set(ledger.read_text().split())
    finally:
        ended = tane(folder, "down")
    assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}"
    assert not made & netns.names()
    known = ids.read(folder)
    assert known is not None
    assert not [name for name in netns.names() if known.cloud_id in name]
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    assert known.cloud_id not in links
    assert processes(folder) == []


def test_servers_start_again_after_the_machine_was_down(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("again")
    try:
        assert tane(folder, "demo", "--mode", "simulated", "--port", str(free_port())).returncode == 0
        assert tane(folder, "down").returncode == 0
        assert tane(folder, "up").returncode == 0
        assert "1 servers" in tane(folder, "status").stdout
    finally:
        known = ids.read(folder)
        tane(folder, "down", "--purge")
    assert not folder.exists()
    assert known is not None and not (ids.LOCKS / known.cloud_id).exists()
