"""Daemons that outlive the program that started them, known by a pid file."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tane.linux import netns as namespaces
from tane.linux.confine import Confinement

MAX_LOG_BYTES = 1 << 20
M_TRIM_THRESHOLD, M_ARENA_MAX = -1, -8
"""Of mallopt(3)."""

# The grandchild writes its own pid file before it becomes the daemon, so that no crash of ours in between leaves a
# daemon nobody knows. Field 22 of /proc/PID/stat is the start time, which tells a reused pid from the real one.
_LAUNCH = """
pidfile=$1 log=$2; shift 2
(
  read -r pid _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ start _ </proc/self/stat || exit 1
  echo "$pid $start" >"$pidfile" || exit 1
  echo "$pid"
  exec "$@" </dev/null >>"$log" 2>&1
) &
"""


class ProcessError(OSError):
    """A daemon could not be started or would not end."""


def spawn(
    argv: Sequence[str],
    *,
    pidfile: Path,
    log: Path,
    netns: str | None = None,
    pass_fds: Sequence[int] = (),
    confinement: Confinement | None = None,
    folder: Path | None = None,
) -> int:
    """Start ``argv`` as a daemon of its own session and return its pid.

    The daemon must stay in the foreground by its own options. Its output is appended to ``log``; with ``netns`` it runs
    in that network namespace, with ``pass_fds`` it inherits these descriptors, with ``confinement`` it has no more
    rights than that; ``folder`` is its working folder. Whether it keeps running is for the caller to see
    (:func:`alive`). Raises ProcessError when the program does not exist or the files cannot be written.
    """
    if shutil.which(argv[0]) is None:
        raise ProcessError(f"the program {argv[0]} is not installed")
    command = confinement.command(argv) if confinement is not None else argv
    pidfile.parent.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with namespaces.entered(netns) if netns else contextlib.nullcontext():
        done = subprocess.run(
            ["/bin/sh", "-c", _LAUNCH, "sh", str(pidfile.absolute()), str(log.absolute()), *command],
            capture_output=True,
            check=False,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            text=True,
            pass_fds=pass_fds,
            cwd=folder,
        )
    if not done.stdout.strip():
        raise ProcessError(f"{argv[0]} could not be started: {done.stderr.strip() or 'no reason given'}")
    return int(done.stdout)


def record(pidfile: Path, pid: int) -> None:
    """Write the pid file of a process that runs already."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    pidfile.parent.mkdir(parents=True, exist_ok=True)
    pidfile.write_text(f"{pid} {stat[stat.rindex(')') + 2 :].split()[19]}\n")


def read_pid(pidfile: Path) -> int | None:
    """The pid of the daemon that ``pidfile`` tells of, or None when that daemon does not run any more."""
    try:
        pid, started = map(int, pidfile.read_text().split())
    except (OSError, ValueError):
        return None
    return pid if _started(pid) == started else None


def runs(pid: int) -> bool:
    """Whether there is such a process, and has not ended."""
    return _started(pid) is not None


def _started(pid: int) -> int | None:
    """When a process was started, in ticks since the machine was; None: there is none, or it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat[stat.rindex(")") + 2 :].split()
    # Of a process that was killed the first thread may be gone before the others, which hold its ports and files.
    return int(fields[18]) if state not in "ZX" or int(fields[16]) > 1 else None


def alive(pidfile: Path) -> bool:
    """Whether the daemon of ``pidfile`` runs; a pid reused by another process does not count."""
    return read_pid(pidfile) is not None


def send_signal(pidfile: Path, signum: int) -> bool:
    """Send a signal to the daemon; False when it does not run."""
    pid = read_pid(pidfile)
    if pid is None:
        return False
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return False
    return True


def stop(pidfile: Path, *, timeout_seconds: float = 5.0) -> None:
    """End the daemon (SIGTERM, after ``timeout_seconds`` SIGKILL), wait for its end and remove the pid file.

    Raises ProcessError when even SIGKILL does not end it.
    """
    pid = read_pid(pidfile)
    if pid is not None:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            handle = -1
        # The pid may have been reused between the two look-ups; the handle is only used when it was not.
        if handle >= 0:
            try:
                if read_pid(pidfile) == pid:
                    _end(handle, pid, timeout_seconds)
            finally:
                os.close(handle)
    pidfile.unlink(missing_ok=True)


def bound_log(log: Path) -> None:
    """Empty a daemon's log that grew beyond MAX_LOG_BYTES: guests can make a daemon say things. It appends, so its log
    may be cut at any time."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > MAX_LOG_BYTES:
            os.truncate(log, 0)


def _end(handle: int, pid: int, timeout_seconds: float) -> None:
    gone = select.poll()
    gone.register(handle, select.POLLIN)
    for signum, seconds in ((signal.SIGTERM, timeout_seconds), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signum)
        if gone.poll(seconds * 1000):
            return
    raise ProcessError(f"process {pid} does not end, not even by SIGKILL")


def give_memory_back() -> None:
    """From now on this process holds little memory that it does not use: threads share one heap, whose end goes back to
    the kernel (mallopt(3)). Elsewhere than with glibc nothing changes."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in ((M_ARENA_MAX, 1), (M_TRIM_THRESHOLD, 256 << 10)):
            mallopt(parameter, value)
