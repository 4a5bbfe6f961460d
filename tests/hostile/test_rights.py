"""What the programs of a running cloud may do, and what another user of the machine sees of it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tane.linux import confine
from tane.linux.confine import Confinement
from tests.e2e.real import MARKS, RealCloud, Tenant, wait_for
from tests.running import running_below

pytestmark = MARKS

Pair = tuple[tuple[str, str], tuple[str, str]]

ENGINES = {"qemu-system-x86_64", "qemu-storage-daemon", "dnsmasq"}
CAPABILITIES = {"dnsmasq": {10, 12}}
"""Those of docs/security.md: CAP_NET_BIND_SERVICE, CAP_NET_ADMIN."""
NO_SECCOMP = {"qemu-storage-daemon", "dnsmasq"}
"""Neither brings a filter of its own."""


@pytest.fixture(scope="module")
def engines(real: RealCloud, mia: Tenant, two_servers: Pair) -> list[tuple[int, str]]:
    """(pid, program) of every engine, with at least one of each kind."""
    volume_id = mia.volume()
    mia.wait_volume(volume_id, "available")
    mia.attach(two_servers[0][0], volume_id)
    found = [(pid, name) for pid, name, _ in running_below(real.folder) if name in ENGINES]
    assert {name for _, name in found} == ENGINES
    return found


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def bits(mask: str) -> set[int]:
    return {number for number in range(64) if int(mask, 16) >> number & 1}


def test_no_engine_runs_as_root_or_with_rights_it_does_not_need(engines: list[tuple[int, str]]) -> None:
    for pid, name in engines:
        found = status(pid)
        assert all(int(uid) >= confine.FIRST_UID for uid in (found["Uid"] + found["Gid"]).split()), (name, found)
        assert "0" not in found["Groups"].split()
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert bits(found[kind]) == CAPABILITIES.get(name, set()), (name, kind)
        assert found["NoNewPrivs"] == "1"
        assert name in NO_SECCOMP or found["Seccomp"] == "2"
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert not re.search(r"Max address space\s+unlimited", limits), name
        assert not re.search(r"Max processes\s+unlimited", limits), name
        assert re.search(r"Max core file size\s+0\s+0", limits), name


def test_no_two_engines_share_a_user(engines: list[tuple[int, str]]) -> None:
    users = [status(pid)["Uid"].split()[0] for pid, _ in engines]
    assert len(set(users)) == len(users)


def test_no_engine_knows_the_clouds_secrets(real: RealCloud, engines: list[tuple[int, str]]) -> None:
    for pid, _ in engines:
        assert b"TANE" not in Path(f"/proc/{pid}/environ").read_bytes()
        assert real.password.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()


def files(folder: Path) -> Iterator[Path]:
    yield folder
    for path in folder.rglob("*"):
        if not path.is_symlink():
            yield path


def test_another_user_of_the_machine_reaches_no_file(real: RealCloud, engines: list[tuple[int, str]]) -> None:
    stranger = Confinement(confine.identity("a stranger"))
    done = subprocess.run(stranger.command(["cat", str(real.folder / "tane.db")]), capture_output=True, text=True)
    assert "Permission denied" in done.stderr
    assert real.folder.stat().st_mode & 0o777 == 0o700
    open_to_all = [path for path in files(real.folder) if path.stat().st_mode & 0o007 and path.suffix != ".pub"]
    assert open_to_all == []


def test_an_engine_reaches_no_file_of_another(real: RealCloud, engines: list[tuple[int, str]]) -> None:
    """Even from inside its own folder, with its own rights."""
    guests = sorted((real.folder / "host/guests").iterdir())
    first, second = guests[0], guests[1]
    owner, readers = confine.identity(f"guest-{first.name}"), confine.identity("image-content")
    assert owner is not None and readers is not None
    confined = Confinement(owner, groups=(readers.gid,))
    wanted = [second / "root.qcow2", second / "run" / "qmp", second / "guest.json", first / "guest.json"]
    wanted += [*(real.folder / "host/images").iterdir(), real.folder / "tane.db", real.folder / "admin-password"]
    for path in wanted:
        ways = (str(path), f"../../../{path.relative_to(real.folder)}")
        for way in ways:
            done = subprocess.run(
                confined.command(["cat", way]), cwd=first, capture_output=True, text=True, check=False
            )
            assert "Permission denied" in done.stderr, (way, done.stdout[:80])


def test_a_guest_that_writes_without_end_fills_no_disk(real: RealCloud, mia: Tenant, two_servers: Pair) -> None:
    (server_id, address), _ = two_servers
    mia.ssh(
        address, "dd if=/dev/zero bs=4096 count=200 2>/dev/null | tr '\\0' x >/dev/console; echo the end >/dev/console"
    )

    def tail() -> str:
        return str(mia.post(f"/compute/v2.1/servers/{server_id}/action", {"os-getConsoleOutput": {}})["output"])

    wait_for("the end of the console", lambda: "the end" in tail(), 60)
    log = real.folder / "host/guests" / server_id / "console.log"
    assert log.stat().st_size <= 1 << 20
