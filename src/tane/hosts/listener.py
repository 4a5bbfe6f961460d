"""Where agents of other machines come in: TLS by the authority of the hosts, one line for each host.

Opened when the first token is made, and at each later start. Who shows no certificate may ask for the authority and
join, in small frames and within seconds; nothing else. What makes certificates is loaded only then: a cloud of one
machine needs none of it.
"""

from __future__ import annotations

import asyncio
import contextvars
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec
import structlog
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import store
from tane.hosts.registry import CONNECTED, HostAgent
from tane.jobs import forever
from tane.web.errors import ApiError
from tane.wire import frames, lines
from tane.wire.calls import Answering, Distant, failed
from tane.wire.duties import CloudDuty, ComputeDuty, NetworkDuty, VolumeDuty
from tane.wire.errors import HostError, Refused
from tane.wire.frames import FAILURE, HELLO, REPLY, Broken
from tane.wire.joining import MOST_BEFORE_TRUST, PROTOCOL, Hello, HostFacts
from tane.wire.joining import Authority as AuthorityTold
from tane.wire.lines import Line
from tane.wire.streams import Connection

if TYPE_CHECKING:
    from tane.core import Core
    from tane.wire.certificates import Authority

log = structlog.get_logger()

HELLO_SECONDS = 10.0
OPEN_SECONDS = 30.0
ALIVE_SECONDS = 3.0
STRANGERS = 64
"""Connections at a time of those whom nobody knows yet."""
SERVER_RENEW_SECONDS = 30 * 86400.0
ROLES = {"compute": ComputeDuty, "network": NetworkDuty, "volume": VolumeDuty}


class Listener:
    """``answers`` makes what answers to one host, by its id, and ``remove`` removes one; ``join_host``: the address
    that tokens name."""

    def __init__(
        self,
        core: Core,
        answers: Callable[[str], CloudDuty],
        remove: Callable[[Core, str], Awaitable[None]],
        address: str,
        port: int,
        join_host: str,
    ) -> None:
        self.core = core
        self.answers = answers
        self.remove = remove
        self.address, self.port, self.join_host = address, port, join_host
        self._server: asyncio.Server | None = None
        self._authority: Authority | None = None
        self._opening = asyncio.Lock()
        self._lines: dict[str, Line] = {}
        self._wanted: dict[tuple[str, str], asyncio.Future[Connection]] = {}
        self._strangers = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> Authority:
        """Listen, unless it does already; the authority is made where there was none.

        :raises OSError: the port cannot be had.
        """
        async with self._opening:
            if self._authority is None:
                self._authority = await self.core.in_thread(self._load)
            if self._server is None:
                context = await self.core.in_thread(self._context, self._authority)
                # What hosts do from now on is not done by whoever made the first token.
                self._server = await asyncio.create_task(self._listen(context), context=contextvars.Context())
                log.info("hosts may join", address=self.address, port=self.port)
            return self._authority

    async def _listen(self, context: ssl.SSLContext) -> asyncio.Server:
        return await asyncio.start_server(
            self._accept, self.address, self.port, ssl=context, ssl_handshake_timeout=HELLO_SECONDS
        )

    def _load(self) -> Authority:
        from tane.hosts import joining

        with self.core.db.write() as tx:
            return joining.authority(tx, self.core.config.region)

    def _context(self, authority: Authority) -> ssl.SSLContext:
        from tane.hosts import joining

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
            if self._server is None and await self.core.in_thread(known):
                await self.open()
            await asyncio.sleep(5.0)

        await forever("listening for hosts", once)

    async def close(self) -> None:
        """Take no more connections and end the lines; hosts go on by themselves."""
        if self._server is not None:
            self._server.close()
        for line in self._lines.values():
            line.end()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, host_id: str) -> None:
        """End the line of a host that was removed."""
        if (line := self._lines.get(host_id)) is not None:
            line.end()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._accepted(Connection(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accepted(self, connection: Connection) -> None:
        # What is gone does not know any more who it was.
        peer = _peer(connection.writer)
        try:
            await self._greet(connection)
        except Broken as error:
            log.info("a connection of a host ended", peer=peer, reason=str(error))
        except Exception:
            # The boundary to a peer: it gets nothing more, the operator the traceback.
            log.exception("a connection of a host failed", peer=peer)
        finally:
            await lines.close(connection.writer)

    async def _greet(self, connection: Connection) -> None:
        """Learn who is there and what they want, and do it."""
        if self._strangers >= STRANGERS:
            raise Broken("too many who have not said who they are")
        self._strangers += 1
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                hello, host_id = await self._heard(connection)
        except TimeoutError:
            raise Broken("it did not say what it wants in time") from None
        except HostError as error:
            await frames.write(connection.writer, FAILURE, msgspec.json.encode(failed(error)))
            raise Broken(str(error)) from None
        finally:
            self._strangers -= 1
        if host_id is None:
            return
        if hello.purpose == "line" and hello.facts is not None:
            await self._serve(connection, host_id, hello.facts)
        elif hello.purpose == "call":
            await lines.answer(connection, self._answering(host_id))
        elif hello.purpose == "leave":
            await self._leave(connection, host_id)
        elif hello.purpose == "opened":
            await self._opened(connection, host_id, hello.key or "")
        else:
            raise Broken(f"a {hello.purpose} that says too little")

    async def _heard(self, connection: Connection) -> tuple[Hello, str | None]:
        """The first frame, answered when it is a stranger's; else whose it is."""
        from tane.hosts import joining
        from tane.wire.certificates import pem

        try:
            data = await frames.expect(connection.reader, HELLO, MOST_BEFORE_TRUST)
            hello = msgspec.json.decode(data, type=Hello)
        except msgspec.DecodeError as error:
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

            def join() -> bytes:
                with self.core.db.write() as tx:
                    joined = joining.join(tx, authority, asked, self.core.config.vxlan_port)
                return msgspec.json.encode(joined)

            await frames.write(connection.writer, REPLY, await self.core.in_thread(join))
            log.info("a host joined", host_id=asked.host_id, name=asked.name, peer=_peer(connection.writer))
            return hello, None
        return hello, await self.core.in_thread(self._known, _certificate(connection.writer))

    async def _leave(self, connection: Connection, host_id: str) -> None:
        try:
            await self.remove(self.core, host_id)
        except ApiError as error:
            failure = msgspec.json.encode(failed(Refused(error.message)))
            await frames.write(connection.writer, FAILURE, failure)
        else:
            await frames.write(connection.writer, REPLY)

    def _known(self, certificate: bytes) -> str:
        from tane.hosts import joining

        with self.core.db.read() as tx:
            return joining.host_of(tx, certificate)

    def _answering(self, host_id: str) -> Answering:
        return Answering({"cloud": (CloudDuty, self.answers(host_id))})

    # ------------------------------------------------------------------------------------------------ a host's line

    async def _serve(self, connection: Connection, host_id: str, facts: HostFacts) -> None:
        before = self._lines.get(host_id)
        if before is not None:
            if await before.alive(ALIVE_SECONDS):
                reason = "this host is connected already: is its state folder a copy of another host's?"
                failure = msgspec.json.encode(failed(Refused(reason)))
                await frames.write(connection.writer, FAILURE, failure)
                raise Broken(f"{facts.name}: {reason}")
            before.end()
        row = await self.core.in_thread(self._register, host_id, facts)
        line = Line(connection, self._answering(host_id), lambda: self._open(host_id))
        self._lines[host_id] = line
        self.core.hosts.add(_agent(row, facts, line))
        try:
            await frames.write(connection.writer, REPLY)
            self.core.db.signals.notify(CONNECTED)
            log.info("a host is connected", host=row.name, host_id=host_id, peer=_peer(connection.writer))
            await line.serve()
        finally:
            if self._lines.get(host_id) is line:
                del self._lines[host_id]
                self.core.hosts.remove(host_id)
            log.info("a host is no longer connected", host=row.name, host_id=host_id)

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

    :raises Refused: it was removed meanwhile.
    """
    known = store.get(tx, host_id)
    if known is None:
        raise Refused("this host was removed from the cloud")
    capabilities = msgspec.to_builtins(facts.capabilities) if facts.capabilities is not None else {}
    capabilities["ranges"] = msgspec.to_builtins(facts.ranges)
    store.register(tx, host_id, known.name, known.roles, facts.local_ip, capabilities)
    row = store.get(tx, host_id)
    assert row is not None
    return row


def _agent(row: Row[Any], facts: HostFacts, line: Line) -> HostAgent:
    def duty(role: str) -> object:
        return Distant(ROLES[role], role, line) if role in row.roles and role in facts.roles else None

    return HostAgent(
        row.id,
        row.name,
        cast("ComputeDuty | None", duty("compute")),
        cast("NetworkDuty | None", duty("network")),
        cast("VolumeDuty | None", duty("volume")),
        facts.local_ip,
        started=facts.started,
        distant=True,
    )


def _certificate(writer: asyncio.StreamWriter) -> bytes:
    """What the peer showed, in DER. :raises Refused: nothing."""
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    if not shown:
        raise Refused("only hosts that have joined may ask this")
    return cast(bytes, shown)


def _peer(writer: asyncio.StreamWriter) -> str:
    name = writer.get_extra_info("peername")
    return f"{name[0]}:{name[1]}" if name else "unknown"
