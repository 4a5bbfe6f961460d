"""Programs run as users of their own: what they are left with, and what files they reach."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tane.linux import confine
from tane.linux.confine import Confinement, Handed


def status(confinement: Confinement) -> dict[str, str]:
    command = confinement.command(["cat", "/proc/self/status"])
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {name: value.strip() for name, value in (line.split(":", 1) for line in text.splitlines())}


def test_each_name_has_a_user_of_its_own() -> None:
    names = [confine.identity(f"guest-{number}") for number in range(1000)]
    assert len(set(names)) == (1000 if names[0] else 1)
    assert confine.identity("guest-7") == names[7]


@pytest.mark.root
def test_a_confined_program_has_neither_root_nor_capabilities() -> None:
    owner = confine.identity("somebody")
    assert owner is not None
    found = status(Confinement(owner, groups=(owner.gid, 4711)))
    assert found["Uid"].split() == [str(owner.uid)] * 4
    assert found["Groups"].split() == ["4711", str(owner.gid)]
    assert {found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert found["NoNewPrivs"] == "1"


@pytest.mark.root
def test_a_capability_that_is_named_is_the_only_one() -> None:
    found = status(Confinement(confine.identity("somebody"), capabilities=("net_raw",)))
    assert {int(found[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {1 << 13}


def test_what_this_process_knows_by_its_environment_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANE_DATABASE_URL", "postgresql://tane:secret@db/tane")
    command = Confinement(None).command(["cat", "/proc/self/environ"])
    assert "secret" not in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_memory_is_limited() -> None:
    def reads(memory_bytes: int) -> bool:
        command = Confinement(None, memory_bytes=memory_bytes).command(["cat", "/dev/null"])
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert reads(1 << 30)
    assert not reads(1 << 20)


@pytest.mark.root
def test_a_file_is_reached_where_all_folders_are_closed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    mine, lent, other = closed / "mine", closed / "lent", closed / "other"
    owner = confine.identity("somebody")
    confine.make_file(mine, owner)
    for file in (mine, lent, other):
        file.write_text(file.name)
    other.chmod(0o600)
    confine.lend(lent, confine.identity("readers"))
    readers = confine.identity("readers")
    assert owner and readers

    def read(path: Path, *groups: int) -> str:
        with Handed() as handed:
            command = Confinement(owner, groups=groups).command(["cat", handed.name(path)])
            done = subprocess.run(command, pass_fds=handed.descriptors, capture_output=True, text=True, check=False)
        return done.stdout or done.stderr

    assert read(mine) == "mine"
    assert read(lent, readers.gid) == "lent"
    assert "Permission denied" in read(lent)
    assert "Permission denied" in read(other, readers.gid)
    direct = subprocess.run(Confinement(owner).command(["cat", str(mine)]), capture_output=True, text=True, check=False)
    assert "Permission denied" in direct.stderr


@pytest.mark.parametrize("hand_over", [confine.give, confine.lend, confine.make_file])
def test_a_link_is_never_followed(tmp_path: Path, hand_over: object) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to("secret")
    assert callable(hand_over)
    with pytest.raises(OSError):
        hand_over(tmp_path / "link", confine.identity("somebody"))
    assert (tmp_path / "secret").stat().st_uid == os.geteuid()
    assert (tmp_path / "secret").read_text() == "secret"


@pytest.mark.parametrize("who", [None, pytest.param("somebody", marks=pytest.mark.root)])
def test_a_program_that_dies_with_its_starter_does_so(who: str | None) -> None:
    owner = confine.identity(who) if who else None
    command = Confinement(owner, dies_with_us=True).command(["sh", "-c", "echo $$; exec cat"])
    starter = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", starter, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None and started.stdin is not None
        pid = int(started.stdout.readline())
        handle = os.pidfd_open(pid)
        started.kill()
        gone = select.poll()
        gone.register(handle, select.POLLIN)
        assert gone.poll(10_000), "it goes on"
        os.close(handle)
