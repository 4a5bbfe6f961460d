"""The daemon that serves a network's guests, or advertises a router to them.

It has a user of its own for each of them and few capabilities, in its network namespace: ``net_admin``, to enter the
neighbours there that it answers before they have an address, ``net_bind_service``, and where it speaks IPv6
``net_raw``; it does not start without. It pings nobody. It may read its files, write the folder of its leases, and
nothing else; what it wrote is read as a stranger's.
"""

from __future__ import annotations

import hashlib
import os
import signal
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from tane.agent.network.plan import DhcpServer
from tane.linux import confine, process
from tane.linux.confine import Confinement
from tane.linux.files import remove_tree, write_private

CAPABILITIES = ("net_admin", "net_bind_service")
VERSION_6_CAPABILITIES = (*CAPABILITIES, "net_raw")
MEMORY_BYTES = 256 << 20
_MAX_LEASES_BYTES = 16 << 20


class Told(msgspec.Struct, forbid_unknown_fields=True):
    """What the daemon was last told, so that one who was ended between writing and telling is noticed; ``addresses6``:
    IPv6 address → MAC, as a lease of one names its holder by what that chose itself."""

    config: str = ""
    files: str = ""
    addresses6: dict[str, str] = {}


class Dnsmasq:
    """dnsmasq of one network or router, its files in ``folder``. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pidfile = folder / "pid"
        self._user = confine.identity(f"dnsmasq-{folder.name}")
        self._leases = folder / "db" / "leases"
        self._log = folder / "log"
        self._told = folder / "told"

    def apply(self, server: DhcpServer) -> str | None:
        """Make dnsmasq serve exactly ``server``; returns what was done ("started", "reloaded") or None.

        Raises OSError when it cannot be started.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        files = {"config": self._configuration(server), "hosts": server.hosts}
        files |= {"options": server.options, "names": server.names}
        for name, lines in files.items():
            self._write(name, lines)
        before = self._read_told()
        told = Told(
            _digest(files.pop("config")),
            _digest(*files.values()),
            {ip: mac for ip, mac in server.addresses.items() if ":" in ip},
        )
        leases = self._read_leases()
        stale = _stale(leases, server.addresses, before.addresses6)
        process.bound_log(self._log)
        if before.config != told.config or stale or not process.alive(self.pidfile):
            self.stop()
            self._prepare([line for line in leases if line not in stale])
            self._start(server)
            did = "started"
        elif before.files != told.files:
            process.send_signal(self.pidfile, signal.SIGHUP)
            did = "reloaded"
        else:
            return None
        write_private(self._told, msgspec.json.encode(told))
        return did

    def stop(self) -> None:
        """End the daemon; its leases stay."""
        process.stop(self.pidfile)

    def _start(self, server: DhcpServer) -> None:
        capabilities = VERSION_6_CAPABILITIES if server.version6 else CAPABILITIES
        process.spawn(
            ["dnsmasq", "--conf-file=config", "--no-daemon", "--log-facility=-"],
            pidfile=self.pidfile,
            log=self._log,
            netns=server.namespace,
            confinement=Confinement(self._user, capabilities=capabilities, memory_bytes=MEMORY_BYTES, open_files=128),
            folder=self.folder,
        )

    def _configuration(self, server: DhcpServer) -> tuple[str, ...]:
        # Found by the working folder: the folders above may be closed to its user.
        files = ("dhcp-hostsfile=hosts", "dhcp-optsfile=options", "addn-hosts=names", "dhcp-leasefile=db/leases")
        return (*server.config, *files)

    def _write(self, name: str, lines: Iterable[str]) -> None:
        target = self.folder / name
        text = _text(lines)
        if target.exists() and target.read_text() == text:
            return
        fresh = target.with_suffix(".new")
        fresh.write_text(text)
        confine.lend(fresh, self._user)
        fresh.replace(target)

    def _prepare(self, leases: list[str]) -> None:
        """The files as its user finds them. Nothing is opened in the folder it may write."""
        confine.lend(self.folder, self._user)
        for name in ("config", "hosts", "options", "names"):
            confine.lend(self.folder / name, self._user)
        remove_tree(self._leases.parent)
        confine.make_folder(self._leases.parent, self._user)
        fresh = self.folder / "leases.new"
        confine.make_file(fresh, self._user)
        fresh.write_text(_text(leases))
        fresh.replace(self._leases)

    def _read_told(self) -> Told:
        try:
            return msgspec.json.decode(self._told.read_bytes(), type=Told)
        except (FileNotFoundError, msgspec.MsgspecError):
            return Told()  # it is told all

    def _read_leases(self) -> list[str]:
        try:
            descriptor = os.open(self._leases, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return []  # there are none yet, or what is there is no file
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return []
        with os.fdopen(descriptor, "rb") as file:
            return file.read(_MAX_LEASES_BYTES).decode(errors="replace").splitlines()


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _digest(*files: Iterable[str]) -> str:
    return hashlib.sha256("\f".join(map(_text, files)).encode()).hexdigest()


def _stale(leases: list[str], addresses: Mapping[str, str], before6: Mapping[str, str]) -> set[str]:
    """Leases of an address by another than the one it belongs to now: dnsmasq would refuse the new owner.

    A lease's second word is the MAC; of IPv6 it is a number that the guest chose, and what counts is whose the address
    was when the daemon last learnt of that."""
    entries = [(line, line.split()) for line in leases]
    return {
        line
        for line, entry in entries
        if len(entry) >= 4
        and (
            addresses.get(entry[2]) != before6.get(entry[2])
            if ":" in entry[2]
            else addresses.get(entry[2], entry[1]) != entry[1].lower()
        )
    }
