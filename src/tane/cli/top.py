"""``tane top``: hosts, servers and projects by what they use now, as who asks may see them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http.client import HTTPException
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated, Any, Literal

import typer

from tane.cli.client import CallError, Client
from tane.cli.common import DEFAULT_STATE, State, plain
from tane.cli.options import StateOption

COUNTERS = {
    "ceilometer_cpu": "cpu_ns",
    "ceilometer_disk_device_read_bytes": "read_bytes",
    "ceilometer_disk_device_write_bytes": "write_bytes",
    "ceilometer_network_incoming_bytes": "in_bytes",
    "ceilometer_network_outgoing_bytes": "out_bytes",
}
"""Of servers, whose use is the difference of two readings."""
RATES = {"cpu_ns": "cpu", "read_bytes": "read", "write_bytes": "write", "in_bytes": "received", "out_bytes": "sent"}
LINE = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)\Z")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
FORBIDDEN = 403
Counters = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""By name and labels."""
NANOSECONDS = 1e9
KINDS = ("servers", "projects", "hosts")
PAGE = 1000
IDLE = 9
"""So many times as long as the last look took nothing is asked."""
SORTS = ("name", "cpu", "memory", "read", "write", "received", "sent")
Kind = Literal["servers", "projects", "hosts"]


@dataclass
class Use:
    """What one uses: processors at work, MiB of memory, bytes a second; None where it is not known (yet). ``has``: what
    it may use (processors, MiB). Of a host it is what its servers use, but for the memory, which is its own."""

    id: str
    name: str
    project: str = ""
    host: str = ""
    status: str = ""
    servers: int | None = None
    vcpus: float | None = None
    memory_has: float | None = None
    cpu: float | None = None
    memory: float | None = None
    read: float | None = None
    write: float | None = None
    received: float | None = None
    sent: float | None = None


@dataclass
class Counted:
    """Two readings of the counters of a server that differ, and when they were: of each of its cards and disks."""

    now: Counters
    at: float
    before: Counters | None = None
    before_at: float = 0.0

    def rates(self) -> dict[str, float]:
        if self.before is None:
            return {}
        seconds = max(self.at - self.before_at, 0.001)
        found: dict[str, float] = {}
        for (name, labels), value in self.now.items():
            # What was not there before tells what it used ever.
            if (last := self.before.get((name, labels))) is not None:
                # One that began anew at zero (another start of the guest) tells what it has used since.
                used = (value - last if value >= last else value) / seconds
                found[RATES[name]] = found.get(RATES[name], 0.0) + used
        return {**found, "cpu": found["cpu"] / NANOSECONDS} if "cpu" in found else found


@dataclass
class Readings:
    """What was read so far: counters and gauges by the resource's id."""

    counters: dict[str, Counted] = field(default_factory=dict)
    gauges: dict[str, dict[str, float]] = field(default_factory=dict)

    def take(self, text: str, now: float) -> None:
        """Another reading of ``/metrics``."""
        found: dict[str, Counters] = {}
        self.gauges = {}
        for name, labels, value in samples(text):
            owner = labels.get("vm_instance") or labels.get("resource", "")
            if name in COUNTERS:
                found.setdefault(owner, {})[COUNTERS[name], tuple(sorted(labels.items()))] = value
            elif name.startswith("ceilometer_"):
                self.gauges.setdefault(owner, {})[name.removeprefix("ceilometer_")] = value
        self.counters = {owner: self._counted(owner, mine, now) for owner, mine in found.items()}

    def _counted(self, owner: str, mine: Counters, now: float) -> Counted:
        last = self.counters.get(owner)
        if last is None:
            return Counted(mine, now)
        return last if last.now == mine else Counted(mine, now, last.now, last.at)

    @property
    def complete(self) -> bool:
        """Whether there is a use of everything that was read."""
        return bool(self.counters) and all(one.before is not None for one in self.counters.values())


def samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Lines of the text format 0.0.4 as (name, labels, value)."""
    for line in text.splitlines():
        found = LINE.match(line) if line[:1] != "#" else None
        if found is not None:
            yield found["name"], dict(LABEL.findall(found["labels"] or "")), float(found["value"])


# --------------------------------------------------------------------------------------------------------- gathering


@dataclass
class Cloud:
    """The cloud as one user sees it. ``all_projects``: as an administrator, who sees hosts, too."""

    client: Client
    readings: Readings = field(default_factory=Readings)
    all_projects: bool = True

    def look(self) -> dict[str, list[Use]]:
        """:raises CallError:"""
        self.readings.take(self.client.text("/metrics"), monotonic())
        names = self._projects()
        servers = [self._server(one, names) for one in self._servers()]
        found = {"servers": servers, "projects": projects(servers), "hosts": []}
        if self.all_projects:
            found["hosts"] = [self._host(one, servers) for one in self.client.call("GET", "/hosts")["hosts"]]
        return found

    def _servers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            marker = f"&marker={found[-1]['id']}" if found else ""
            whose = "&all_tenants=1" if self.all_projects else ""
            path = f"/compute/v2.1/servers/detail?limit={PAGE}{whose}{marker}"
            page = self.client.call("GET", path, microversion="compute 2.47")["servers"]
            found += page
            if len(page) < PAGE:
                return found

    def _projects(self) -> dict[str, str]:
        path = "/identity/v3/projects" if self.all_projects else "/identity/v3/auth/projects"
        return {one["id"]: one["name"] for one in self.client.call("GET", path)["projects"]}

    def _server(self, shown: Mapping[str, Any], names: Mapping[str, str]) -> Use:
        counted, gauges = self.readings.counters.get(shown["id"]), self.readings.gauges.get(shown["id"], {})
        running = shown["status"] == "ACTIVE"
        found = Use(
            shown["id"],
            shown["name"],
            project=names.get(shown["tenant_id"], shown["tenant_id"]),
            host=shown.get("OS-EXT-SRV-ATTR:host") or "",
            status=shown["status"],
            vcpus=shown["flavor"]["vcpus"],
            memory_has=shown["flavor"]["ram"],
            memory=gauges.get("memory_usage", gauges.get("memory_resident")) if running else None,
        )
        for name, value in (counted.rates() if counted is not None and running else {}).items():
            setattr(found, name, value)
        return found

    def _host(self, shown: Mapping[str, Any], servers: Sequence[Use]) -> Use:
        mine, gauges = [one for one in servers if one.host == shown["name"]], self._of_host(shown)
        whole, used = gauges.get("hardware_memory_total"), gauges.get("hardware_memory_used")
        found = total(shown["id"], shown["name"], mine)
        found.status = shown["state"]
        found.memory = found.memory if used is None else used / 1024
        found.memory_has = found.memory_has if whole is None else whole / 1024
        return found

    def _of_host(self, shown: Mapping[str, Any]) -> dict[str, float]:
        return self.readings.gauges.get(shown["id"], self.readings.gauges.get(shown["name"], {}))


def projects(servers: Sequence[Use]) -> list[Use]:
    """What the servers of each project use together."""
    names = dict.fromkeys(one.project for one in servers)
    return [total(name, name, [one for one in servers if one.project == name]) for name in names]


def total(id_: str, name: str, servers: Sequence[Use]) -> Use:
    """What some servers use together; what is known of none of them is not known."""
    found = Use(id_, name, servers=len(servers))
    for column in ("vcpus", "memory_has", "cpu", "memory", "read", "write", "received", "sent"):
        known = [value for one in servers if (value := getattr(one, column)) is not None]
        setattr(found, column, sum(known) if known else None)
    return found


# ----------------------------------------------------------------------------------------------------------- showing


def ordered(rows: Sequence[Use], sort: str) -> list[Use]:
    """By name, or by what is used most."""
    if sort == "name":
        return sorted(rows, key=lambda one: (one.name, one.id))
    return sorted(rows, key=lambda one: (-(getattr(one, sort) or 0.0), one.name, one.id))


def table(kind: Kind, rows: Sequence[Use], width: int) -> list[str]:
    """The lines of a table, none longer than ``width``."""
    columns = list(COLUMNS[kind])
    shown = [[title for title, _ in columns]] + [[tell(one) for _, tell in columns] for one in rows]
    widths = [max(len(row[place]) for row in shown) for place in range(len(columns))]
    texts = TEXTS[kind]
    lines = []
    for row in shown:
        cells = [
            cell.ljust(size) if place < texts else cell.rjust(size)
            for place, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip()[:width])
    return lines


def _number(value: float | None, form: str = "{:.2f}") -> str:
    return "-" if value is None else form.format(value)


def _bytes(value: float | None) -> str:
    """Bytes a second in the largest unit that fits."""
    if value is None:
        return "-"
    for unit in ("B", "K", "M", "G"):
        if value < 1000 or unit == "G":
            return f"{value:.0f}{unit}" if unit == "B" or value >= 100 else f"{value:.1f}{unit}"
        value /= 1024
    raise AssertionError("unreachable")


def _mib(value: float | None) -> str:
    return _number(value, "{:.0f}")


Column = tuple[str, Callable[[Use], str]]
_USED: tuple[Column, ...] = (
    ("CPU", lambda one: _number(one.cpu)),
    ("OF", lambda one: _number(one.vcpus, "{:.0f}")),
    ("MEM MiB", lambda one: _mib(one.memory)),
    ("OF", lambda one: _mib(one.memory_has)),
    ("READ/s", lambda one: _bytes(one.read)),
    ("WRITE/s", lambda one: _bytes(one.write)),
    ("IN/s", lambda one: _bytes(one.received)),
    ("OUT/s", lambda one: _bytes(one.sent)),
)
_COUNT: Column = ("SERVERS", lambda one: str(one.servers))
_NAME: Column = ("NAME", lambda one: plain(one.name)[:40])
COLUMNS: Mapping[Kind, tuple[Column, ...]] = {
    "servers": (
        _NAME,
        ("PROJECT", lambda one: plain(one.project)[:20]),
        ("HOST", lambda one: plain(one.host)[:20]),
        ("STATUS", lambda one: one.status),
        *_USED,
    ),
    "projects": (_NAME, _COUNT, *_USED),
    "hosts": (_NAME, ("STATE", lambda one: one.status), _COUNT, *_USED),
}
TEXTS: Mapping[Kind, int] = {"servers": 4, "projects": 1, "hosts": 2}
"""So many columns are texts, the rest numbers."""
HELP = "s servers  p projects  h hosts  n name  c CPU  m memory  r read  w written  i in  o out  q quit"
KEYS: Mapping[str, tuple[str, str]] = {
    "s": ("kind", "servers"),
    "p": ("kind", "projects"),
    "h": ("kind", "hosts"),
    "n": ("sort", "name"),
    "c": ("sort", "cpu"),
    "m": ("sort", "memory"),
    "r": ("sort", "read"),
    "w": ("sort", "write"),
    "i": ("sort", "received"),
    "o": ("sort", "sent"),
}


@dataclass
class Screen:
    """What is looked at. ``kind``: of rows; ``sort``: by which column."""

    kind: str = "servers"
    sort: str = "cpu"

    def key(self, pressed: str) -> bool:
        """What a key changes; False: it ends the command."""
        if pressed in ("q", "\x03", "\x04"):
            return False
        if pressed in KEYS:
            setattr(self, *KEYS[pressed])
        return True

    def lines(self, found: Mapping[str, Sequence[Use]], size: tuple[int, int], note: str = "") -> list[str]:
        """What fits on a screen of (columns, lines)."""
        width, height = size
        counts = ", ".join(f"{len(found[kind])} {kind}" for kind in KINDS if found.get(kind))
        head = [f"{counts or 'nothing'}; {self.kind} by {self.sort}{note}"[:width], HELP[:width], ""]
        rows = ordered(found.get(self.kind, ()), self.sort)
        return (head + table(self.kind, rows, width))[:height]  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------------------- commands


def top(
    once: Annotated[bool, typer.Option("--once", help="Print it once, when use is known, and end.")] = False,
    form: Annotated[str, typer.Option("--format", help="table or json; json prints it once.")] = "table",
    kind: Annotated[str, typer.Option("--show", help="servers, projects or hosts.")] = "servers",
    sort: Annotated[str, typer.Option("--sort", help=", ".join(SORTS) + ".")] = "cpu",
    interval: Annotated[float, typer.Option("--interval", min=0.2, help="Seconds between two looks, or more.")] = 15.0,
    wait: Annotated[
        float, typer.Option("--wait", min=0, help="Seconds that --once waits for use: two intervals of the measuring.")
    ] = 130.0,
    user: Annotated[
        str, typer.Option("--user", help="Who asks; the password is that of OS_PASSWORD. Without it the administrator.")
    ] = "admin",
    project: Annotated[str, typer.Option("--project", help="The project of who asks.")] = "admin",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show what servers, projects and hosts use, again and again, until q is pressed.

    Who is no administrator sees the own project. Use is the difference of two readings, which the cloud takes once a
    minute (the setting interval of metric). Processors, disks and networks of a host are those of its servers.
    """
    _check("--format", form, ("table", "json"))
    _check("--show", kind, KINDS)
    _check("--sort", sort, SORTS)
    try:
        client = _client(state, user, project)
        cloud = Cloud(client, all_projects=_administers(client))
        if once or form == "json":
            _once(cloud, Screen(kind, sort), form, interval, wait)
        else:
            _live(cloud, Screen(kind, sort), interval)
    except CallError as error:
        sys.exit(f"tane: {plain(error.told or str(error))}")
    except KeyboardInterrupt:
        return


def _check(option: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        sys.exit(f"tane: {option} is one of {', '.join(known)}, not {plain(given)}")


def _client(state: Path, user: str, project: str) -> Client:
    files = State.of(state)
    files.require()
    if not files.running():
        sys.exit(f"tane: no cloud runs in {files.folder}: start it with ./tane up")
    password = files.admin_password() if user == "admin" else os.environ.get("OS_PASSWORD", "")
    if not password:
        sys.exit(f"tane: the password of {plain(user)} is looked for in OS_PASSWORD")
    return files.client(user, password, project)


def _administers(client: Client) -> bool:
    """Whether who asks sees hosts, and with them everybody's servers."""
    try:
        client.call("GET", "/hosts")
    except CallError as error:
        if error.status != FORBIDDEN:
            raise
        return False
    return True


def _once(cloud: Cloud, screen: Screen, form: str, interval: float, wait: float) -> None:
    until = monotonic() + wait
    found = cloud.look()
    if found["servers"] and not cloud.readings.complete and wait > 0:
        print(f"tane: waiting for the second measurement, {wait:.0f} s at most (--wait)", file=sys.stderr)
    while found["servers"] and not cloud.readings.complete and monotonic() < until:
        sleep(min(interval, max(until - monotonic(), 0.01)))
        found = cloud.look()
    if form == "json":
        told = {name: [asdict(one) for one in ordered(rows, screen.sort)] for name, rows in found.items()}
        print(json.dumps(told))
    else:
        print("\n".join(table(screen.kind, ordered(found[screen.kind], screen.sort), 10_000)))  # type: ignore[arg-type]


@dataclass
class Watched:
    """A cloud that is looked at again and again; one that does not answer for a while is asked again later, with
    ``trouble`` as the words on it. ``due``: when the next look is."""

    cloud: Cloud
    interval: float
    due: float = 0.0
    found: dict[str, list[Use]] = field(default_factory=dict)
    trouble: str = ""

    def look(self) -> dict[str, list[Use]]:
        """What was found last; where it is time, after another look. It takes a tenth of the time at most."""
        begun = monotonic()
        if begun < self.due:
            return self.found
        try:
            self.found, self.trouble = self.cloud.look(), ""
        except CallError as error:
            self.trouble = f"; {plain(error.told or str(error))}"
        except (OSError, HTTPException) as error:
            self.trouble = f"; the cloud does not answer: {plain(str(error))}"
        now = monotonic()
        self.due = now + max(self.interval, IDLE * (now - begun))
        return self.found


def _live(cloud: Cloud, screen: Screen, interval: float) -> None:
    with _keys() as pressed:
        watched = Watched(cloud, interval)
        while True:
            found = watched.look()
            size = shutil.get_terminal_size()
            note = watched.trouble or ("" if cloud.readings.complete else "; use is known when it was measured twice")
            sys.stdout.write("\x1b[H\x1b[2J" + "\r\n".join(screen.lines(found, (size.columns, size.lines - 1), note)))
            sys.stdout.flush()
            key = pressed(max(0.05, watched.due - monotonic()))
            if key and not screen.key(key):
                return


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """The next key within so many seconds, or nothing; the terminal is in another screen meanwhile."""
    import termios
    import tty

    if not sys.stdin.isatty():
        sys.exit("tane: this is no terminal: --once prints the table")
    before = termios.tcgetattr(sys.stdin)

    def pressed(seconds: float) -> str:
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        return os.read(sys.stdin.fileno(), 1).decode(errors="replace") if ready else ""

    try:
        tty.setcbreak(sys.stdin)
        sys.stdout.write("\x1b[?1049h\x1b[?25l")
        yield pressed
    finally:
        sys.stdout.write("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
