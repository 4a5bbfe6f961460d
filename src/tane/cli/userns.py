"""A cloud without root: everything lives in one unprivileged user namespace that a keeper process holds open.

The keeper outlives the controller, so that guests and their network do too; a restarted controller joins it again.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import NoReturn

from tane.cli.common import State
from tane.linux import machines, process

MARK = "TANE_INSIDE_USERNS"


def inside(state: State) -> bool:
    """Whether this process runs in the cloud's user namespace already."""
    return os.environ.get(MARK) == str(state.folder)


def keeper(state: State) -> int:
    """The pid of the namespace's keeper, started when it does not run."""
    pid = process.read_pid(state.keeper_pidfile)
    if pid is None:
        command = ["unshare", "--user", "--map-root-user", *machines.UNSHARED]
        log = state.folder / "log" / "keeper.log"
        process.spawn([*command, "sh", "-c", machines.KEEP], pidfile=state.keeper_pidfile, log=log)
        try:
            pid = machines.ready(state.keeper_pidfile, log)
        except machines.MachineError as error:
            sys.exit(f"tane: the user namespace: {error}")
    return pid


def prefix(state: State) -> list[str]:
    """The command that runs another one inside the cloud's namespace, where floating IPs can be reached."""
    pid = keeper(state)
    nsenter = shutil.which("nsenter") or "nsenter"
    return [nsenter, "--target", str(pid), "--user", "--net", "--mount", "--wd=.", "--preserve-credentials", "--"]


def enter_and_run(state: State, arguments: list[str]) -> NoReturn:
    """Replace this process by Python with these arguments inside the namespace; open file descriptors are kept."""
    command = [*prefix(state), sys.executable, *arguments]
    os.execve(command[0], command, {**os.environ, MARK: str(state.folder)})
