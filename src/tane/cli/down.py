"""``tane down``: end the cloud and everything it made on the machine; ``--purge`` deletes its state as well."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from typing import Annotated

import typer

from tane import ids
from tane.cli import dev, userns
from tane.cli.common import DEFAULT_STATE, State, cache_folder
from tane.cli.options import StateOption
from tane.linux import process
from tane.linux.files import remove_tree


def down(
    state: StateOption = DEFAULT_STATE,
    purge: Annotated[bool, typer.Option("--purge", help="Delete the state too: all servers, volumes, images.")] = False,
    inner: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """End the cloud: processes, namespaces, interfaces, tables. Servers start again at the next `up`."""
    files = State.of(state)
    if not files.folder.is_dir() or not files.is_ours():
        print(f"tane: there is no cloud in {files.folder}")
        return
    if inner:
        asyncio.run(_clear(files))
        return
    if purge and not files.joined() and ids.read(files.folder) is None:
        print(f"tane: {ids.FILE} is gone: what the cloud has in the kernel by the ids in it stays there")
        ids.draw(files.folder)
    end(files)
    if files.joined():
        if purge:
            sys.exit("tane: this is a host of a cloud: ./tane leave ends that too, and deletes its state")
        print(f"tane: the host in {files.folder} is down; ./tane up starts its agent again")
    elif purge:
        database = files.config_to_end().database_url
        unknown = not files.settings_can_be_read()
        if ids.copy_running(files.folder) is None:
            ids.forget(files.folder)
        try:
            remove_tree(files.folder)
        except OSError as error:
            left = any(files.folder.iterdir())
            if left:
                sys.exit(f"tane: the cloud in {files.folder} is down, but not all it held could be deleted: {error}")
        print(f"tane: the cloud in {files.folder} is gone, with all it held")
        print(f"tane: the guest image, which other clouds may use, stays in {cache_folder()}")
        if unknown:
            print("tane: but for a database elsewhere, if its settings named one")
        if database:
            # Another cloud may use it, and it is not ours to drop.
            print("tane: but for the database that database_url names: drop it before another cloud begins in it")
    else:
        print(f"tane: the cloud in {files.folder} is down; ./tane up starts it again")


def end(files: State) -> None:
    """End the cloud or the agent of a state folder, and all it has in the kernel."""
    mode = _mode(files)
    copy = ids.copy_running(files.folder)
    if copy is not None:
        # A copied folder names the other one's process, too.
        print(f"tane: the same cloud runs in {copy}: its process and what it has in the kernel are left alone")
    else:
        dev.end(files)
        process.stop(files.pidfile, timeout_seconds=15)
        if mode == "userns":
            _clear_userns(files)
        else:
            asyncio.run(_clear(files))
    files.chosen_mode.unlink(missing_ok=True)


def _mode(files: State) -> str:
    """The mode the cloud was started in; the one that ends most when a broken-off start left none."""
    if (known := files.mode()) is not None:
        return known
    if process.alive(files.keeper_pidfile):
        return "userns"
    return "root" if os.geteuid() == 0 else "user"


async def _clear(files: State) -> None:
    from tane.agent import cloud, process
    from tane.agent.host import teardown
    from tane.server import host_settings

    config, mode = files.config_to_end(), _mode(files)
    member = cloud.Files(files.folder).read() if files.joined() else None
    if member is not None:
        await teardown(process.host_settings(files.folder, config, mode, member))
    else:
        await teardown(host_settings(files.folder, config, mode))


def _clear_userns(files: State) -> None:
    """Ends the guests inside the namespace, then its keeper: the namespaces go with their last process."""
    if process.alive(files.keeper_pidfile):
        command = [*userns.prefix(files), sys.executable, "-m", "tane.cli", "down", "--inner", "--state"]
        environment = {**os.environ, userns.MARK: str(files.folder)}
        done = subprocess.run([*command, str(files.folder)], env=environment, check=False)
        if done.returncode != 0:
            sys.exit("tane: the cloud's namespace could not be cleared; see above")
    with contextlib.suppress(FileNotFoundError):
        process.stop(files.keeper_pidfile)
