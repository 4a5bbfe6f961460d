"""Fixtures: a migrated database copied per test, a cloud in process, callers with each role."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tane.app import Cloud, make_core
from tane.clock import ManualClock
from tane.config import Config
from tane.core import Core
from tests.support import ADMIN_PASSWORD, ApiCloud, fake_hosts, register


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that need more than this machine gives are skipped with the reason, but never where all must run."""
    if os.environ.get("TANE_REQUIRE_ALL"):
        return
    for mark, problem in (("root", missing_for_root()), ("guest", missing_for_guests())):
        if problem:
            for item in items:
                if item.get_closest_marker(mark):
                    item.add_marker(pytest.mark.skip(reason=problem))


def missing_for_root() -> str | None:
    """Why tests of namespaces cannot run here, or None."""
    if os.geteuid() != 0:
        return "needs root: namespaces, bridges, nftables"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", "ip link add name tane0 type bridge && ip tuntap add dev tane1 mode tap"],
        capture_output=True,
        text=True,
        check=False,
    )
    missing = [tool for tool in ("dnsmasq", "ip") if shutil.which(tool) is None]
    if done.returncode != 0:
        return f"the kernel does not allow namespaces with bridges and taps: {done.stderr.strip()}"
    return f"not installed: {', '.join(missing)}" if missing else None


def missing_for_guests() -> str | None:
    """Why tests with real guests cannot run here, or None."""
    tools = ("qemu-system-x86_64", "qemu-img", "qemu-storage-daemon", "busybox", "dropbear", "mke2fs", "ssh")
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the schema and the first administrator."""
    folder = tmp_path_factory.mktemp("template")
    core = make_core(Config(state_dir=folder, bcrypt_rounds=4))
    Cloud(core).prepare(ADMIN_PASSWORD)
    core.close()
    return folder / "tane.db"


@pytest.fixture
def new_core(template: Path, tmp_path: Path) -> Iterator[Callable[[], Core]]:
    """Makes cores of their own databases, each with one simulated host."""
    made: list[Core] = []

    def make() -> Core:
        folder = tmp_path / f"cloud{len(made)}"
        folder.mkdir()
        shutil.copy(template, folder / "tane.db")
        core = make_core(Config(state_dir=folder, bcrypt_rounds=4, handler_threads=2), hosts=fake_hosts())
        register(core)
        made.append(core)
        return core

    yield make
    for core in made:
        core.close()


@pytest.fixture
def cloud(template: Path, tmp_path: Path) -> Iterator[ApiCloud]:
    """A whole cloud in process, with simulated hosts; jobs run when the test says so."""
    shutil.copy(template, tmp_path / "tane.db")
    config = Config(state_dir=tmp_path, bcrypt_rounds=4, handler_threads=2)
    core = make_core(config, clock=ManualClock(), hosts=fake_hosts())
    register(core)
    with asyncio.Runner() as runner:
        api = ApiCloud(Cloud(core), runner)
        yield api
        api.close()
    core.close()
