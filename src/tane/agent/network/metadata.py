"""The metadata service's sockets and HTTP: guests ask 169.254.169.254 or fe80::a9fe:a9fe, and get what is theirs.

Which port asks is told by three things a guest cannot choose: the leg the connection came in on (each leg has a socket
of its own, bound to the interface, so that answers leave by it too), the source address, and the bridge, which lets a
port ask from its own fixed address and MAC only (:mod:`tane.agent.network.spoofing`). What a router forwarded came in
on another leg, and no header says who asks.
"""

from __future__ import annotations

import asyncio
import errno
import http
import re
import socket
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable

import structlog

from tane.agent.network.pace import Pace
from tane.agent.network.plan import MetadataListener
from tane.linux import netns
from tane.wire.duties import MetadataSource

MAX_HEADER_BYTES = 16 * 1024
MAX_HEADERS = 64
MAX_BODY_BYTES = 64 * 1024
_MOST_DIGITS = 10
IDLE_SECONDS = 30.0
"""How long a whole request, its answer's way out, or the next request may take."""
MAX_PER_PORT = 16
MAX_PER_PROJECT = 256
MAX_CONNECTIONS = 1024
"""Connections of one leg. One port has MAX_PER_PORT of them by all its addresses together, as have all addresses of no
port, and one answer at a time is made for it. A project has MAX_PER_PROJECT by all its ports. Beyond that the oldest of
them that says nothing, or does not take its answer, makes room."""

BACKLOG = 128
"""Connections of one leg that the kernel has accepted and that are not taken yet; it keeps one more."""
REST_SECONDS = 1.0
"""Until it is tried again to take one when this process, or the machine, can open no more."""
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

PER_SECOND, AT_ONCE = 60.0, 600
"""Answers to all ports of a project on a host: each is some milliseconds of the cloud's own process."""

Key = tuple[str, int, str, int, str]
"""Namespace and interface, each by name and number, as one made anew under the same name is another one; address."""

# By these a proxy would tell on whose behalf it asks; there is no proxy before us, so only a guest can have sent them.
_FORWARDED = re.compile(
    r"(forwarded|via|x-forwarded.*|x-real-ip|x-instance-.*|x-tenant-.*|x-project-.*|x-network-.*|x-router-.*|x-subnet-.*"
    r"|x-port-.*|x-ovn-.*|x-metadata-.*|x-user-.*|x-role.*|x-auth-.*|x-service-.*|x-openstack-.*)\Z"
)

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
"""A header's name (RFC 9110, section 5.6.2)."""

_log = structlog.get_logger(__name__)


class _BadRequest(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def open_socket(listener: MetadataListener) -> socket.socket:
    """A listening socket of the listener's interface, inside its namespace. Raises OSError."""
    with netns.entered(listener.namespace):
        family = socket.AF_INET6 if ":" in listener.address else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, listener.device.encode() + b"\0")
            # An address of the link alone means nothing without the interface.
            on_link = (0, socket.if_nametoindex(listener.device)) if family == socket.AF_INET6 else ()
            opened.bind((listener.address, listener.port, *on_link))
            opened.listen(BACKLOG)
        except OSError:
            opened.close()
            raise
    return opened


class _Connection:
    """Of the port that ``asks``: it had the address ``peer`` when the connection was taken. ``waits``: for the guest,
    which has not sent a whole request or not taken its answer."""

    def __init__(self, peer: str, asks: str, project: str) -> None:
        self.peer, self.asks, self.project = peer, asks, project
        self.waits = True
        self.ended = False
        self._transport: asyncio.WriteTransport | None = None

    async def begin(self, opened: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=MAX_HEADER_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        self._transport, _ = await loop.connect_accepted_socket(lambda: protocol, opened)
        if self.ended:
            self._transport.abort()
        return reader, asyncio.StreamWriter(self._transport, protocol, reader, loop)

    def end(self) -> None:
        """At once; of what it has asked nothing is begun any more."""
        self.ended = True
        if self._transport is not None:
            self._transport.abort()


class MetadataServer:
    """Serves one socket. ``ports`` (source address → port id) and ``projects`` (port id → project) may be replaced at
    any time (:meth:`tell`); a port without a project is one for itself.

    Connections are taken here and not by an event loop's server: that one tells of them some turns after it has taken
    them, when the address may be another port's.
    """

    def __init__(
        self, source: MetadataSource, ports: dict[str, str], projects: dict[str, str], pace: Pace | None = None
    ) -> None:
        self._source = source
        self._pace = pace or Pace(PER_SECOND, AT_ONCE)
        self.ports = ports
        self.projects = projects
        self._listening: socket.socket | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._busy: set[asyncio.Task[None]] = set()
        self._open: dict[_Connection, None] = {}
        """In the order in which they came."""
        self._of_port: Counter[str] = Counter()
        self._of_project: Counter[str] = Counter()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def start(self, listening: socket.socket) -> None:
        """Serve this socket, which is closed by :meth:`stop`, on the running event loop."""
        listening.setblocking(False)
        self._listening = listening
        self._listen(listening)

    def _listen(self, listening: socket.socket) -> None:
        self._rest = None
        asyncio.get_running_loop().add_reader(listening, self._heard, listening)

    def _heard(self, listening: socket.socket) -> None:
        try:
            self._take(listening)
        except OSError as error:
            _log.warning("metadata connections are not taken", error=str(error))
            loop = asyncio.get_running_loop()
            # The kernel would say without a pause that somebody waits.
            loop.remove_reader(listening)
            self._rest = loop.call_later(REST_SECONDS, self._listen, listening)

    def _take(self, listening: socket.socket) -> None:
        """Take all connections that wait in the kernel, as of who has their addresses now. Raises OSError when no more
        can be opened."""
        for _ in range(BACKLOG + 1):
            try:
                opened, (address, *_) = listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_ROOM:
                    raise
                continue  # What befell that connection, accept(2) tells.
            self._enter(opened, address.partition("%")[0])

    def _enter(self, opened: socket.socket, peer: str) -> None:
        opened.setblocking(False)
        asks = self.ports.get(peer, "")
        connection = _Connection(peer, asks, self.projects.get(asks, asks))
        if not self._has_room(connection):
            opened.close()
            return
        self._opened(connection)
        task = asyncio.get_running_loop().create_task(self._serve(connection, opened))
        self._busy.add(task)

        def left(task: asyncio.Task[None]) -> None:
            self._busy.discard(task)
            self._closed(connection)
            opened.close()

        task.add_done_callback(left)

    def tell(self, ports: dict[str, str], projects: dict[str, str]) -> None:
        """Whose the addresses are from now on: connections of whoever had one before end, those too that wait in the
        kernel. What he has asked by them and is not begun yet would be done as the new owner."""
        if ports != self.ports and self._listening is not None:
            self._empty(self._listening)
        self.ports, self.projects = ports, projects
        for connection in list(self._open):
            if ports.get(connection.peer, "") != connection.asks:
                connection.end()

    def _empty(self, listening: socket.socket) -> None:
        """Let nobody wait in the kernel."""
        try:
            self._take(listening)
        except OSError as error:
            # It ends them all, also those whose address stays: who they are cannot be seen.
            _log.warning("metadata connections are refused", error=str(error))
            listening.shutdown(socket.SHUT_RD)
            listening.listen(BACKLOG)

    async def stop(self) -> None:
        """Close the socket and every connection, so that nothing of ours holds the namespace."""
        if self._rest is not None:
            self._rest.cancel()
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None
        for task in list(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    async def _serve(self, connection: _Connection, opened: socket.socket) -> None:
        try:
            reader, writer = await connection.begin(opened)
            while await self._exchange(connection, reader, writer):
                pass
            writer.close()
            async with asyncio.timeout(IDLE_SECONDS):
                await writer.wait_closed()
        except (ConnectionError, TimeoutError):
            _log.debug("metadata connection ended", peer=connection.peer)
            connection.end()
        except asyncio.CancelledError:
            connection.end()
            raise
        except Exception as error:
            # In one line: what a guest makes us meet, it may make us meet a thousand times a second.
            text = f"{type(error).__name__}: {error}"[:200]
            _log.warning("metadata connection failed", port_id=connection.asks, error=text)
            connection.end()

    def _has_room(self, newcomer: _Connection) -> bool:
        own = self._of_project[newcomer.project]
        if self._of_port[newcomer.asks] >= MAX_PER_PORT:
            return False
        if own >= MAX_PER_PROJECT:
            return self._end_one(newcomer.project)
        if len(self._open) < MAX_CONNECTIONS:
            return True
        project, most = max(self._of_project.items(), key=lambda item: item[1])
        return most > own and self._end_one(project)

    def _end_one(self, project: str) -> bool:
        """End the oldest connection of a project that waits for its guest; False when there is none."""
        found = next((one for one in self._open if one.waits and one.project == project), None)
        if found is None:
            return False
        found.end()
        self._closed(found)
        return True

    def _opened(self, connection: _Connection) -> None:
        self._open[connection] = None
        self._of_port[connection.asks] += 1
        self._of_project[connection.project] += 1

    def _closed(self, connection: _Connection) -> None:
        """Repeatable."""
        if connection not in self._open:
            return
        del self._open[connection]
        for counted, name in ((self._of_port, connection.asks), (self._of_project, connection.project)):
            counted[name] -= 1
            if not counted[name]:
                del counted[name]
        if connection.asks not in self._of_port:
            self._turns.pop(connection.asks, None)

    async def _exchange(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; returns whether the connection stays open. Raises ConnectionError when it was ended."""
        keep = False
        method = ""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                request = await _read_request(reader)
            if request is None:
                return False
            method, path, keep, headers = request
            connection.waits = False
            async with self._turns[connection.asks]:
                await asyncio.sleep(self._pace.count(connection.project))
                if connection.ended:
                    raise ConnectionAbortedError("the address is another port's by now")
                status, kind, body = await self._answer(connection.asks, path, {**headers, ":method": method})
        except _BadRequest as error:
            status, kind, body, keep = error.status, "text/plain", f"{error}\n".encode(), False
        head = (
            f"HTTP/1.1 {status} {_phrase(status)}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        )
        connection.waits = True
        writer.write(head.encode("latin-1") + (b"" if method == "HEAD" else body))
        async with asyncio.timeout(IDLE_SECONDS):
            await writer.drain()
        return keep

    async def _answer(self, port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
        if not port_id:
            return 404, "text/plain", b"No port has this address.\n"
        try:
            return await self._source(port_id, path, headers)
        except Exception:
            # The boundary to a guest: it gets a 500, the operator the traceback.
            _log.exception("metadata request failed", port_id=port_id, path=path)
            return 500, "text/plain", b"The metadata could not be read.\n"


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, str, bool, dict[str, str]] | None:
    """(method, path, keep-alive, headers by lower-case name) of the next request (RFC 9112); its body, each byte a
    character, is the header ``:body``, a name no guest can send.

    None at the end of the connection. Raises _BadRequest.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise _BadRequest(400, "The request ends in its header.") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise _BadRequest(431, "The request header is too large.") from error
    line, *fields = head.decode("latin-1").strip("\r\n").split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise _BadRequest(400, "The request line is malformed.")
    method, path, version = words
    if method not in ("GET", "HEAD", "PUT", "POST"):
        raise _BadRequest(405, f"The method {method} is not allowed.")
    headers = _headers(fields)
    headers[":body"] = await _read_body(reader, headers)
    wish = headers.get("connection", "").lower()
    return method, path, wish != "close" if version == "HTTP/1.1" else wish == "keep-alive", headers


def _headers(fields: list[str]) -> dict[str, str]:
    """By lower-case name, without those that say on whose behalf the request is."""
    if len(fields) > MAX_HEADERS:
        raise _BadRequest(431, "The request has too many header fields.")
    headers: dict[str, str] = {}
    for field in fields:
        name, colon, value = field.partition(":")
        if not colon or not _TOKEN.match(name):
            raise _BadRequest(400, "A header field is malformed.")
        if not _FORWARDED.match(name.lower().replace("_", "-")):
            headers[name.lower()] = value.strip()
    return headers


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> str:
    if "transfer-encoding" in headers:
        raise _BadRequest(411, "The body needs a Content-Length.")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()):
        raise _BadRequest(400, "The Content-Length is malformed.")
    if len(length) > _MOST_DIGITS or int(length) > MAX_BODY_BYTES:
        raise _BadRequest(413, "The body is too large.")
    try:
        return (await reader.readexactly(int(length))).decode("latin-1")
    except asyncio.IncompleteReadError as error:
        raise _BadRequest(400, "The body is shorter than its Content-Length.") from error


class MetadataServers:
    """The servers of all namespaces of a host. ``open_there`` opens a listener's socket off the event loop."""

    def __init__(
        self, source: MetadataSource, open_there: Callable[[MetadataListener], Awaitable[socket.socket]]
    ) -> None:
        self._source = source
        self._open_there = open_there
        self._pace = Pace(PER_SECOND, AT_ONCE)
        self._servers: dict[Key, MetadataServer] = {}

    def release(self, planned: Iterable[MetadataListener]) -> None:
        """Before what these listeners are of is done: an address whose port changes by it is nobody's until
        :meth:`apply`, as it cannot be told when in between it goes to the other port."""
        coming = {(listener.namespace, listener.device, listener.address): listener.ports for listener in planned}
        for (namespace, _, device, _, address), server in self._servers.items():
            after = coming.get((namespace, device, address), {})
            kept = {source: port_id for source, port_id in server.ports.items() if after.get(source) == port_id}
            server.tell(kept, server.projects)

    async def apply(self, wanted: dict[Key, MetadataListener]) -> dict[str, str]:
        """Serve exactly these listeners; returns owner → reason for those that cannot be."""
        failed: dict[str, str] = {}
        for gone in self._servers.keys() - wanted.keys():
            await self._servers.pop(gone).stop()
        for key, listener in wanted.items():
            if key in self._servers:
                self._servers[key].tell(listener.ports, listener.projects)
                continue
            server = MetadataServer(self._source, listener.ports, listener.projects, self._pace)
            try:
                server.start(await self._open_there(listener))
            except OSError as error:
                failed[listener.owner] = (
                    f"the metadata service cannot listen on {listener.device} in {listener.namespace}: {error}"
                )
                continue
            self._servers[key] = server
        return failed

    async def stop(self) -> None:
        await self.apply({})
