"""What chaos looks for is found where it is."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from chaos import invariants, witness

GUEST = """
import pathlib, sys, threading
def processor():
    pathlib.Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text("CPU 0/TCG")
    while sys.argv[1] == "works":
        pass
    sys.stdin.read()
threading.Thread(target=processor).start()
"""


@contextlib.contextmanager
def guest(folder: Path, does: str) -> Iterator[None]:
    """A process that looks like a guest's, whose processor works or stands still."""
    folder.mkdir(parents=True)
    command = ["qemu-system-x86_64", "-c", GUEST, does]
    started = subprocess.Popen(command, executable=sys.executable, cwd=folder, stdin=subprocess.PIPE)
    try:
        yield
    finally:
        started.kill()
        started.communicate()


@pytest.mark.parametrize("other", ["works", "waits"])
def test_a_server_that_works_on_two_machines_is_told(tmp_path: Path, other: str) -> None:
    found = witness.Witness(SimpleNamespace(folder=tmp_path))  # type: ignore[arg-type]  # All it asks of a cloud.
    with guest(tmp_path / "m1/host/guests/web", "works"), guest(tmp_path / "m2/host/guests/web", other):
        until = time.monotonic() + (20.0 if other == "works" else 1.0)
        while not found.seen and time.monotonic() < until:
            found.look()
            time.sleep(0.1)
    assert found.seen == (["server web runs on m1 and m2 at once"] if other == "works" else [])


def test_a_stack_that_says_that_it_could_not_be_deleted_is_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault made its deletion fail: it is deleted once more in the end."""
    monkeypatch.setattr(invariants, "jobs_under_way", lambda cloud: [])
    load = SimpleNamespace(deleted={"/stacks/rose/1"})
    for status, words in (("DELETE_FAILED", []), ("CREATE_COMPLETE", ["/stacks/rose/1 was deleted and is there"])):
        shown = {"1": {"stack_status": status, "stack_status_reason": ""}}
        found = invariants.Rows({}, {}, {}, {}, {}, {}, {}, shown)
        assert invariants.under_way(None, found, [load]) == words  # type: ignore[arg-type,list-item]  # All it asks.
