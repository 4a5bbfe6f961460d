"""The ``openstack`` client as a user types it, and which of its commands were run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tests.e2e.real import RealCloud


def commands(group: str) -> list[str]:
    """The commands that the client itself lists for a group of entry points."""
    return sorted(entry.name.replace("_", " ") for entry in entry_points(group=group))


def left(names: Sequence[str], done: Iterable[str], not_offered: Iterable[str] = ()) -> list[str]:
    """The commands that none of the lines ``done`` ran (a line runs the longest it begins with) and that do not begin
    with words of ``not_offered``."""
    ran = {max((name for name in names if f"{line} ".startswith(f"{name} ")), key=len, default="") for line in done}
    return [name for name in names if name not in ran and not name.startswith(tuple(not_offered))]


class Shell:
    """The client, logged in as someone; as the administrator when no one is named.

    ``login``: the variables of another way to log in than by password.
    """

    def __init__(
        self,
        cloud: RealCloud,
        user: str = "admin",
        password: str = "",
        project: str = "admin",
        login: Mapping[str, str] | None = None,
    ) -> None:
        self.cloud = cloud
        by_password = {
            "OS_USERNAME": user,
            "OS_PASSWORD": password or cloud.password,
            "OS_PROJECT_NAME": project,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
        }
        address = {"OS_AUTH_URL": f"{cloud.url}/identity/v3", "OS_IDENTITY_API_VERSION": "3"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(Path(__file__).parent / "openstack_shell.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**kept, **(by_password if login is None else login), **address},
        )
        self.done: list[str] = []

    def run(self, *arguments: str) -> str:
        """Run one command; returns its output."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(arguments), file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert answer["code"] == 0, f"openstack {' '.join(arguments)}: {answer['err']}"
        self.done.append(" ".join(arguments))
        return str(answer["out"]).strip()

    def make(self, *arguments: str, column: str = "id") -> str:
        """Run a command that creates something; returns its id."""
        return self.run(*arguments, "-f", "value", "-c", column)

    def close(self) -> None:
        self._process.communicate(timeout=20)
