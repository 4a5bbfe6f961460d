from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tane.linux import process


def start(tmp_path: Path, *argv: str) -> Path:
    pidfile = tmp_path / "run" / "pid"
    process.spawn(argv, pidfile=pidfile, log=tmp_path / "log")
    return pidfile


def test_a_daemon_runs_until_it_is_stopped(tmp_path: Path) -> None:
    pidfile = start(tmp_path, "sleep", "60")
    pid = process.read_pid(pidfile)
    assert pid is not None
    assert process.alive(pidfile)
    assert os.getsid(pid) != os.getsid(0)
    process.stop(pidfile)
    assert not process.alive(pidfile)
    assert not pidfile.exists()


def test_a_daemon_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    pidfile = start(tmp_path, "sh", "-c", f"trap '' TERM; : >{ready}; while :; do sleep 1; done")
    while not ready.exists():
        os.sched_yield()
    process.stop(pidfile, timeout_seconds=0.05)
    assert not process.alive(pidfile)


def test_a_daemon_runs_as_long_as_one_of_its_threads(tmp_path: Path) -> None:
    outlived = "import ctypes, threading, time\n"
    outlived += "threading.Thread(target=time.sleep, args=(60,)).start()\n"
    outlived += "ctypes.PyDLL(None).pthread_exit(None)"
    pidfile = start(tmp_path, sys.executable, "-c", outlived)
    pid = process.read_pid(pidfile)
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        os.sched_yield()
    assert process.alive(pidfile)
    process.stop(pidfile)
    assert not process.alive(pidfile)


def test_a_reused_pid_is_not_taken_for_the_daemon(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    pidfile.write_text(f"{os.getpid()} 1\n")
    assert not process.alive(pidfile)
    assert not process.send_signal(pidfile, signal.SIGKILL)
    process.stop(pidfile)


def test_a_program_that_is_not_installed_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(process.ProcessError, match="no-such-program"):
        start(tmp_path, "no-such-program")


def test_stopping_what_never_ran_is_fine(tmp_path: Path) -> None:
    process.stop(tmp_path / "pid")


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    pidfile = start(tmp_path, "sh", "-c", "echo out; echo err >&2")
    while process.alive(pidfile):
        os.sched_yield()
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_a_log_that_guests_can_fill_stays_short(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    pidfile = start(tmp_path, "sh", "-c", f"echo before; read -r _ <{tmp_path}/go; echo after")
    while (tmp_path / "log").read_text() != "before\n":
        os.sched_yield()
    with (tmp_path / "log").open("ab") as log:
        log.write(b"." * process.MAX_LOG_BYTES)
    process.bound_log(tmp_path / "log")
    (tmp_path / "go").write_text("\n")
    while process.alive(pidfile):
        os.sched_yield()
    assert (tmp_path / "log").read_text() == "after\n", "what comes after is kept, at the start of the file"
    process.bound_log(tmp_path / "log")
    assert (tmp_path / "log").read_text() == "after\n"
    process.bound_log(tmp_path / "no-log")
