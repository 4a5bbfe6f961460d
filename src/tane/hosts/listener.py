"""Where agents of other machines come in: TLS by the authority of the hosts, one line for each host.

Opened when the first token is made, and at each later start. Who shows no certificate may ask for the authority and
join, in small frames and within seconds; nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import secrets
import socket
import ssl
import time
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec
import structlog
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import joining, store
from tane.hosts.registry import CONNECTED, LOST, LOST_SECONDS, HostAgent
from tane.hosts.slots import JobSlots
from tane.jobs import forever
from tane.web.errors import ApiError
from tane.web.strangers import Stranger, Strangers, place_of, speaks
from tane.wire import frames, grammar, lines
from tane.wire.calls import MOST_CALL_OF_HOST, Answering, Distant, failed
from tane.wire.certificates import Authority, pem
from tane.wire.duties import CloudDuty, ComputeDuty, NetworkDuty, ObjectDuty, VolumeDuty
from tane.wire.errors import HostError, Refused
from tane.wire.frames import FAILURE, HELLO, REPLY, Broken
from tane.wire.joining import MOST_BEFORE_TRUST, PROTOCOL, Hello, HostFacts, Range, duties_of
from tane.wire.joining import Authority as AuthorityTold
from tane.wire.lines import Line
from tane.wire.streams import Connection

if TYPE_CHECKING:
    from tane.core import Core

log = structlog.get_logger()

HELLO_SECONDS = 10.0
HANDSHAKE_SECONDS = 5.0
OPEN_SECONDS = 30.0
ALIVE_SECONDS = 3.0
SILENT, SILENT_OF_ADDRESS = 512, 128
STRANGERS, STRANGERS_OF_ADDRESS = 256, 32
"""Connections at a time, in all and of one address (or user of this machine), of those who have not said a word, and of
those who have shown no certificate. One more takes the place of the oldest: an agent speaks at once."""
CONNECTIONS_OF_HOST = 256
"""Of one host at a time: its line, and one for each stream."""
LOOK_SECONDS = 10.0
LEAST_PREFIX = 8
KNOWN = "hosts:known"
"""The topic of a first token."""
KEEPALIVE = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
ROLES = {"compute": ComputeDuty, "network": NetworkDuty, "volume": VolumeDuty, "object": ObjectDuty}


class Listener:
    """``answers`` makes what answers to one host, by its id, and ``remove`` removes one; ``join_host``: the address
    that tokens name; ``simulated``: whether this cloud's hosts are, as only such then join."""

    def __init__(
        self,
        core: Core,
        answers: Callable[[str], CloudDuty],
        remove: Callable[[Core, str], Awaitable[None]],
        address: tuple[str, int],
        join_host: str,
        simulated: bool,
    ) -> None:
        self.core = core
        self.answers = answers
        self.remove = remove
        (self.address, self.port), self.join_host, self.simulated = address, join_host, simulated
        self._listening: asyncio.Task[None] | None = None
        self._authority: Authority | None = None
        self._opening = asyncio.Lock()
        self._lines: dict[str, Line] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._wanted: dict[tuple[str, str], asyncio.Future[Connection]] = {}
        self._silent = Strangers(SILENT, SILENT_OF_ADDRESS)
        self._strangers = Strangers(STRANGERS, STRANGERS_OF_ADDRESS)
        self._cuts = 0
        self._of_host: defaultdict[str, set[asyncio.StreamWriter]] = defaultdict(set)
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> Authority:
        """Listen, unless it does already; the authority is made where there was none.

        :raises OSError: the port cannot be had.
        """
        async with self._opening:
            if self._authority is None:
                self._authority = await self.core.in_thread(self._load)
            if self._listening is None:
                context = await self.core.in_thread(self._context, self._authority)
                family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
                listening = socket.create_server((self.address, self.port), family=family, backlog=128)
                listening.setblocking(False)
                # What hosts do from now on is not done by whoever made the first token.
                accepting = self._accept(listening, context)
                self._listening = asyncio.create_task(accepting, context=contextvars.Context())
                log.info("hosts may join", address=self.address, port=self.port)
            return self._authority

    def _load(self) -> Authority:
        with self.core.db.write() as tx:
            tx.notify(KNOWN)
            return joining.authority(tx, self.core.config.region)

    def _context(self, authority: Authority) -> ssl.SSLContext:
        server, ca = joining.write_server_files(authority, self.core.config.state_dir / "tls")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(server)
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    async def open_if_known(self) -> None:
        """Listen when hosts have joined before, or may. A port that cannot be had is tried for again."""

        def known() -> bool:
            with self.core.db.read() as tx:
                return store.authority(tx) is not None

        async def once() -> None:
            with self.core.db.signals.subscribe(KNOWN) as wake:
                while self._listening is None:
                    try:
                        if await self.core.in_thread(known):
                            await self.open()
                            break
                    except OSError as error:
                        log.warning("no host can come in", address=self.address, port=self.port, reason=str(error))
                    await wake.wait(LOOK_SECONDS)
            await asyncio.Event().wait()

        await forever("listening for hosts", once)

    async def close(self) -> None:
        """Take no more connections and end the lines; hosts go on by themselves."""
        tasks = [*self._tasks, *([self._listening] if self._listening is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self, host_id: str) -> None:
        """End every connection of a host that is believed no more."""
        self._cuts += 1
        for writer in [*self._of_host.get(host_id, ())]:
            writer.transport.abort()

    async def _accept(self, listening: socket.socket, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        with listening:
            while True:
                try:
                    opened, (peer, port, *_) = await loop.sock_accept(listening)
                    whose = place_of((peer, port), opened.getsockname()[:2])
                except OSError as error:
                    log.warning("a connection for hosts was not taken", error=str(error))
                    await asyncio.sleep(1.0)
                    continue
                silent = self._silent.enter(whose, opened)
                task = asyncio.create_task(self._accepted(opened, silent, peer, context))
                self._tasks.add(task)
                task.add_done_callback(functools.partial(self._ended, opened, silent))
                # Those who came before say something meanwhile, however many more there are.
                await asyncio.sleep(0)

    def _ended(self, opened: socket.socket, silent: Stranger, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not silent.begun:
            # It was cancelled before it ran.
            silent.leave()
            opened.close()

    async def _accepted(self, opened: socket.socket, silent: Stranger, peer: str, context: ssl.SSLContext) -> None:
        silent.begun, spoke = True, False
        try:
            spoke = await speaks(opened, HANDSHAKE_SECONDS)
        finally:
            silent.leave()
            if not spoke:
                opened.close()
        if not spoke:
            return
        stranger = self._strangers.enter(silent.whose, opened)
        try:
            connection = await _secured(opened, context)
        except (OSError, TimeoutError):
            # Whoever does not speak our TLS: telling of each would fill the log for anybody.
            stranger.leave()
            return
        try:
            if connection.writer.get_extra_info("ssl_object").getpeercert(binary_form=True):
                stranger.leave()
            await self._greet(connection)
        except Broken as error:
            log.info("a connection of a host ended", peer=peer, reason=str(error))
        except Exception:
            # The boundary to a peer: it gets nothing more, the operator the traceback.
            log.error("a connection of a host failed", peer=peer, error=traceback.format_exc())
        finally:
            stranger.leave()
            await lines.close(connection.writer)

    async def _greet(self, connection: Connection) -> None:
        """Learn who is there and what they want, and do it."""
        cuts = self._cuts
        try:
            try:
                async with asyncio.timeout(HELLO_SECONDS):
                    hello, host_id = await self._heard(connection)
            except TimeoutError:
                raise Broken("it did not say what it wants in time") from None
            if host_id is not None:
                await self._serve_host(connection, host_id, hello, cuts)
        except Broken:
            raise
        except HostError as error:
            await frames.write(connection.writer, FAILURE, msgspec.json.encode(failed(error)))
            raise Broken(str(error)) from None

    async def _serve_host(self, connection: Connection, host_id: str, hello: Hello, cuts: int) -> None:
        """What a host wants that has said who it is; its connections end together when it is believed no more.
        ``cuts``: how many hosts had been when it was asked who it is."""
        connections = self._of_host[host_id]
        if len(connections) >= CONNECTIONS_OF_HOST:
            raise HostError(f"this host has {CONNECTIONS_OF_HOST} connections already", transient=True)
        if hello.purpose == "leave":
            # Not one of those that end with it: by this one it is told.
            await self._leave(connection, host_id)
            return
        connections.add(connection.writer)
        try:
            if cuts != self._cuts:
                # It may have been this one, before its connection was among those that are ended.
                await self.core.in_thread(self._host_of, _certificate(connection.writer))
            if hello.purpose == "line" and hello.facts is not None:
                await self._serve(connection, host_id, hello.facts)
            elif hello.purpose == "call":
                await lines.answer(connection, self._answering(host_id))
            elif hello.purpose == "opened":
                await self._opened(connection, host_id, hello.key or "")
            else:
                raise HostError(f"a {hello.purpose} that says too little")
        finally:
            connections.discard(connection.writer)

    async def _heard(self, connection: Connection) -> tuple[Hello, str | None]:
        """The first frame, answered when it is a stranger's; else whose it is."""
        try:
            data = await frames.expect(connection.reader, HELLO, MOST_BEFORE_TRUST)
            hello = msgspec.json.decode(data, type=Hello)
        except (msgspec.DecodeError, RecursionError) as error:
            raise HostError(f"this is no greeting of an agent: {error}") from None
        if hello.protocol != PROTOCOL:
            raise HostError(
                f"the agent speaks protocol {hello.protocol}, this cloud {PROTOCOL}: bring both to one release"
            )
        authority = await self.open()
        if hello.purpose == "authority":
            told = AuthorityTold(certificate=pem(authority.certificate).decode(), now=time.time())
            await frames.write(connection.writer, REPLY, msgspec.json.encode(told))
            return hello, None
        if hello.purpose == "join" and (asked := hello.join) is not None:
            if asked.simulated != self.simulated:
                kind = "simulated" if asked.simulated else "real"
                raise Refused(f"a {kind} host does not join this cloud, whose hosts are not: see --mode")

            def join() -> bytes:
                # Strangers take no turn of those who write.
                with self.core.db.read() as tx:
                    joining.known_token(tx, asked)
                with self.core.db.write() as tx:
                    joined = joining.join(tx, authority, asked, self.core.config.vxlan_port)
                return msgspec.json.encode(joined)

            await frames.write(connection.writer, REPLY, await self.core.in_thread(join))
            log.info("a host joined", host_id=asked.host_id, name=asked.name)
            return hello, None
        return hello, await self.core.in_thread(self._host_of, _certificate(connection.writer))

    async def _leave(self, connection: Connection, host_id: str) -> None:
        try:
            await self.remove(self.core, host_id)
        except ApiError as error:
            failure = msgspec.json.encode(failed(Refused(error.message)))
            await frames.write(connection.writer, FAILURE, failure)
        else:
            await frames.write(connection.writer, REPLY)

    def _host_of(self, certificate: bytes) -> str:
        with self.core.db.read() as tx:
            return joining.host_of(tx, certificate)

    def _answering(self, host_id: str) -> Answering:
        return Answering({"cloud": (CloudDuty, self.answers(host_id))}, most=MOST_CALL_OF_HOST)

    # ------------------------------------------------------------------------------------------------ a host's line

    async def _serve(self, connection: Connection, host_id: str, facts: HostFacts) -> None:
        async with self._turns[host_id]:
            line, row = await self._entered(connection, host_id, facts)
        try:
            await frames.write(connection.writer, REPLY)
            self.core.db.signals.notify(CONNECTED)
            log.info("a host is connected", host=row.name, host_id=host_id)
            await line.serve()
        finally:
            if self._lines.get(host_id) is line:
                del self._lines[host_id]
                self.core.hosts.remove(host_id)
                asyncio.get_running_loop().call_later(LOST_SECONDS, self.core.db.signals.notify, LOST)
            log.info("a host is no longer connected", host=row.name, host_id=host_id)

    async def _entered(self, connection: Connection, host_id: str, facts: HostFacts) -> tuple[Line, Row[Any]]:
        """The host's only line, from now on. :raises Refused: it has another that lives, or was removed."""
        before = self._lines.get(host_id)
        if before is not None:
            if await before.alive(ALIVE_SECONDS):
                raise Refused("this host is connected already: is its state folder a copy of another host's?")
            before.end()
        row = await self.core.in_thread(self._register, host_id, facts)
        line = Line(
            connection,
            self._answering(host_id),
            lambda: self._open(host_id),
            at_once=lines.AT_ONCE_OF_HOST,
            most=lines.MOST_OF_HOST,
        )
        self._lines[host_id] = line
        self.core.hosts.add(_agent(row, facts, JobSlots(line, row.name, self.core.config.job_slots)))
        return line, row

    def _register(self, host_id: str, facts: HostFacts) -> Row[Any]:
        with self.core.db.write() as tx:
            return register(tx, host_id, facts)

    async def _open(self, host_id: str) -> Connection:
        """A connection more to a host, which it makes. :raises HostError: it does not, in time."""
        line, key = self._lines.get(host_id), secrets.token_hex(16)
        if line is None:
            raise Broken("the host is not connected")
        future: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self._wanted[host_id, key] = future
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await line.open(key)
                return await future
        except TimeoutError:
            raise HostError("the host opened no connection in time", transient=True) from None
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                # It came in the moment in which nobody wants it any more.
                future.result().writer.transport.abort()
            raise
        finally:
            del self._wanted[host_id, key]

    async def _opened(self, connection: Connection, host_id: str, key: str) -> None:
        future = self._wanted.get((host_id, key))
        if future is None or future.done():
            raise Broken("a connection that nobody waits for")
        future.set_result(connection)
        # Whoever asked for it uses and closes it; here it must stay open as long.
        await connection.writer.wait_closed()


def register(tx: Tx, host_id: str, facts: HostFacts) -> Row[Any]:
    """Write down what a host says of itself, and return its row; its name and roles are those it joined with.

    :raises Refused: it was removed meanwhile, or says nonsense.
    """
    known = store.get(tx, host_id)
    if known is None:
        raise Refused("this host was removed from the cloud")
    capabilities = msgspec.to_builtins(facts.capabilities) if facts.capabilities is not None else {}
    capabilities["pool_gb"] = facts.pool_gb
    capabilities["ranges"] = [msgspec.to_builtins(taken) for taken in _ranges(facts)]
    store.register(tx, host_id, known.name, known.roles, _tunnel_end(facts.local_ip), capabilities)
    row = store.get(tx, host_id)
    assert row is not None
    return row


def _ranges(facts: HostFacts) -> list[Range]:
    """Those that a machine can have. Of the Internet's addresses no more than ``LEAST_PREFIX`` leaves, whatever number
    of ranges says so, the smallest first: a host that says all of it is its own vetoes nobody's."""
    found = []
    for taken in facts.ranges:
        with contextlib.suppress(ValueError):
            found.append((grammar.network(taken.cidr), taken))
    kept, public = [], dict[int, dict[int, int]]({4: {}, 6: {}})
    for network, taken in sorted(found, key=lambda one: one[0].num_addresses):
        if network.prefixlen < LEAST_PREFIX:
            continue
        if network.is_global:
            # First address and size of each; what is sorted so lies within this one or beside it.
            begin, size = int(network.network_address), network.num_addresses
            apart = {one: many for one, many in public[network.version].items() if not begin <= one < begin + size}
            if sum(apart.values()) + size > 1 << (network.max_prefixlen - LEAST_PREFIX):
                continue
            public[network.version] = {**apart, begin: size}
        kept.append(taken)
    return kept


def _tunnel_end(local_ip: str | None) -> str | None:
    """:raises Refused: no tunnel can end there."""
    if local_ip is None:
        return None
    try:
        found = grammar.address(local_ip)
    except ValueError as error:
        raise Refused(f"local_ip: {error}") from None
    if found.is_loopback or found.is_multicast or found.is_unspecified or found.is_link_local:
        raise Refused(f"local_ip {found}: no other host can reach this one by it")
    return str(found)


def _agent(row: Row[Any], facts: HostFacts, line: JobSlots) -> HostAgent:
    asked = duties_of({*row.roles} & {*facts.roles})

    def duty(role: str) -> object:
        return Distant(ROLES[role], role, line) if role in asked else None

    return HostAgent(
        row.id,
        row.name,
        cast("ComputeDuty | None", duty("compute")),
        cast("NetworkDuty | None", duty("network")),
        cast("VolumeDuty | None", duty("volume")),
        facts.local_ip,
        started=facts.started,
        distant=True,
        objects=cast("ObjectDuty | None", duty("object")),
    )


def _certificate(writer: asyncio.StreamWriter) -> bytes:
    """What the peer showed, in DER. :raises Refused: nothing."""
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    if not shown:
        raise Refused("only hosts that have joined may ask this")
    return cast(bytes, shown)


async def _secured(opened: socket.socket, context: ssl.SSLContext) -> Connection:
    """The connection over TLS; its other end is asked whether it lives when nothing comes. Raises OSError."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE:
        opened.setsockopt(socket.IPPROTO_TCP, option, value)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol, opened, ssl=context, ssl_handshake_timeout=HANDSHAKE_SECONDS
    )
    return Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
