"""What the commands share: the state folder's layout, and whether the cloud in it runs."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import re
import secrets
import string
import sys
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tane import config, ids
from tane.cli.client import Client
from tane.config import Config
from tane.linux import process
from tane.linux.files import write_private
from tane.web import tls
from tane.wire.joining import MEMBERSHIP

DEFAULT_STATE = Path(".tane")
BEFORE_A_CLOUD = ("tane.toml", "policy.yaml", "tls", "starting", "run", "log", "lost+found")
"""What may be in a folder in which a cloud begins: settings, and what a start leaves that was broken off."""


def cache_folder() -> Path:
    """Where the guest image is kept between clouds."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tane" / "guest"


@dataclass(frozen=True)
class State:
    """The files of one cloud."""

    folder: Path

    @classmethod
    def of(cls, folder: Path) -> State:
        if folder.exists() and not folder.is_dir():
            sys.exit(f"tane: the state folder {folder} is a file")
        return cls(folder.absolute())

    @property
    def pidfile(self) -> Path:
        return self.folder / "run" / "tane.pid"

    @property
    def keeper_pidfile(self) -> Path:
        """Of the process that holds the user namespace of a cloud without root."""
        return self.folder / "run" / "keeper.pid"

    @property
    def log(self) -> Path:
        return self.folder / "log" / "tane.log"

    @property
    def settings(self) -> Path:
        return self.folder / "tane.toml"

    @property
    def password_file(self) -> Path:
        return self.folder / "admin-password"

    @property
    def chosen_mode(self) -> Path:
        """The mode the running cloud was started in, and why."""
        return self.folder / "run" / "mode"

    def joined(self) -> bool:
        """Whether this is the folder of a host that joined a cloud, and not of a cloud."""
        return (self.folder / MEMBERSHIP).exists()

    @property
    def connected(self) -> Path:
        """There once the agent of a host that joined was connected to its cloud."""
        return self.folder / "run" / "connected"

    def mode(self) -> str | None:
        """The mode the cloud was started in, None when a broken-off start left none."""
        return self.chosen_mode.read_text().split("\n")[0] if self.chosen_mode.exists() else None

    def config(self, **flags: object) -> Config:
        return config.load(self.folder, flags)

    def config_to_end(self) -> Config:
        """The settings to end what runs by, or the usual ones where they cannot be read: it is to end all the same."""
        return _config_to_end(self)

    def settings_can_be_read(self) -> bool:
        try:
            self.config()
        except config.ConfigError:
            return False
        return True

    def prepare(self) -> None:
        """Make the folder, or close it to everybody else. Exits when it is somebody else's, or holds other things: the
        folder goes with the cloud."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.folder.stat().st_uid != os.geteuid():
                sys.exit(f"tane: the state folder {self.folder} belongs to another user")
            others = [] if self.is_ours() else sorted(entry.name for entry in self.folder.iterdir())
            if any(name not in BEFORE_A_CLOUD for name in others):
                sys.exit(
                    f"tane: {self.folder} holds other things ({', '.join(others[:3])} …): name a folder of its own"
                )
            self.folder.chmod(0o700)
        except OSError as error:
            sys.exit(f"tane: the state folder {self.folder} cannot be made: {error.strerror}")

    def is_ours(self) -> bool:
        """Whether a cloud or a host was begun in the folder."""
        return self.joined() or any((self.folder / name).exists() for name in (ids.FILE, self.password_file.name))

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One command at a time starts what runs in the folder; the next one waits, and finds it running."""
        with (self.folder / "starting").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            yield

    def require(self) -> None:
        """Exits when no cloud was ever started in the folder."""
        if self.joined():
            sys.exit(f"tane: {self.folder} is that of a host: ask on the machine of the cloud it has joined")
        if not self.password_file.exists():
            sys.exit(f"tane: there is no cloud in {self.folder}; start one with ./tane up")

    def running(self) -> bool:
        """Whether this cloud runs: not another one whose folder was copied with its pid file."""
        return process.alive(self.pidfile) and ids.copy_running(self.folder) is None

    def admin_password(self) -> str:
        """The administrator's password, generated at the first call and readable by the owner only."""
        if not self.password_file.exists():
            # By a letter at its beginning no program takes it for an option.
            password = secrets.choice(string.ascii_letters) + secrets.token_urlsafe(18)
            write_private(self.password_file, f"{password}\n".encode())
        return self.password_file.read_text().strip()

    def client(self, user: str, password: str, project: str) -> Client:
        """The APIs of the running cloud, as this machine reaches them. :raises CallError: the user is not let in."""
        config = self.config()
        return Client(config.local_url, user, password, project, tls.client_context(tls.files(config)))

    def admin(self) -> Client:
        return self.client("admin", self.admin_password(), "admin")

    def remember(self, **flags: object) -> None:
        """Keep settings given as flags, so that every later command finds the same cloud; the last one given counts."""
        try:
            text = self.settings.read_text() if self.settings.exists() else ""
            known = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            sys.exit(f"tane: {self.settings} is no TOML: {error}")
        given = {name: value for name, value in flags.items() if value is not None and known.get(name) != value}
        if not given:
            return
        for name, value in given.items():
            line = f"{name} = {value if isinstance(value, int) else repr(str(value))}\n"
            # Before the rest: behind it they would belong to the file's last table.
            text = line + (re.sub(rf"(?m)^{name}\s*=.*\n?", "", text, count=1) if name in known else text)
        write_private(self.settings, text.encode())


def refuse_beside_its_copy(copy: Path | None) -> None:
    """Exits when a copy of a cloud runs, in the folder ``copy``: see :func:`tane.ids.hold`."""
    if copy is not None:
        sys.exit(f"tane: the same cloud runs already in {copy}: of a cloud and its copy one may run on a machine")


def plain(text: str) -> str:
    """A text of a tenant's, for a terminal: without characters that move the cursor or turn the direction of
    writing."""
    return "".join("?" if unicodedata.category(one)[0] in "CZ" and one != " " else one for one in text)


def tail(file: Path, lines: int = 20) -> str:
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else "(no log)"


@functools.cache  # It is said once.
def _config_to_end(state: State) -> Config:
    try:
        return state.config()
    except config.ConfigError as error:
        print(f"tane: {error}")
        print("tane: so the usual settings count: a bridge that only the others name keeps its ports")
        return Config(state_dir=state.folder.absolute())
