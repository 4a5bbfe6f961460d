"""The agent's way to its cloud: joining, the line, and what the host asks by it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from tane.linux.files import write_private
from tane.wire import certificates, frames, lines
from tane.wire.calls import Answering, Failure, raised
from tane.wire.documents import ImageRef
from tane.wire.duties import CloudDuty
from tane.wire.errors import HostError, Refused
from tane.wire.frames import HELLO, REPLY, Broken
from tane.wire.joining import (
    CLOCK_SECONDS,
    MEMBERSHIP,
    MOST_BEFORE_TRUST,
    SERVER_NAME,
    Authority,
    HostFacts,
    Join,
    Joined,
    JoinToken,
    Purpose,
    greeting,
)
from tane.wire.lines import Line
from tane.wire.streams import Connection

log = structlog.get_logger()

CONNECT_SECONDS = 15.0
AGAIN_SECONDS = (0.5, 15.0)
"""How long an agent waits before it tries again: at first, and at most."""
RENEW_SHARE = 2 / 3
"""Of a certificate's life, after which it is renewed."""
LOOK_SECONDS = 3600.0

T = TypeVar("T")


class Membership(msgspec.Struct, kw_only=True):
    """What a host keeps of the cloud it has joined."""

    address: str
    port: int
    host_id: str
    name: str
    roles: tuple[str, ...]
    tunnel_port: int


@dataclass(frozen=True)
class Files:
    """Where the host's part of it lies."""

    folder: Path

    @property
    def membership(self) -> Path:
        return self.folder / MEMBERSHIP

    @property
    def shown(self) -> Path:
        """The certificate and the key of the host, in one file, so that a crash leaves none beside another's."""
        return self.folder / "tls" / "host.pem"

    @property
    def authority(self) -> Path:
        return self.folder / "tls" / "cloud-ca.pem"

    def read(self) -> Membership | None:
        """None before the host has joined. :raises ValueError: the file is not as this program wrote it."""
        try:
            return msgspec.json.decode(self.membership.read_bytes(), type=Membership)
        except FileNotFoundError:
            return None


# --------------------------------------------------------------------------------------------------------- joining


async def join(
    files: Files, token: JoinToken, host_id: str, name: str, roles: tuple[str, ...], *, simulated: bool
) -> None:
    """Join the cloud that a token is of, and keep what that gives.

    :raises HostError: the cloud does not answer, is another one than the token's, or refuses; nothing is kept then.
    """
    known = await _authority(token)
    authority = _read(known.certificate)
    if authority is None or certificates.pin(authority) != token.pin:
        raise Refused("who answers there is not the cloud the token is of: its authority has another key")
    if abs(known.now - time.time()) > CLOCK_SECONDS:
        ahead = "behind" if known.now > time.time() else "ahead of"
        raise Refused(f"this machine's clock is {abs(known.now - time.time()):.0f} s {ahead} the cloud's: set it first")
    key = _joining_key(files)
    asked = Join(
        token_id=token.token_id,
        secret=token.secret,
        host_id=host_id,
        name=name,
        roles=roles,  # type: ignore[arg-type]  # The cloud checks them.
        simulated=simulated,
        request=certificates.request(host_id, key).decode(),
    )
    trusting = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=known.certificate)
    async with _connected(token.address, token.port, trusting) as connection:
        await frames.write(connection.writer, HELLO, greeting("join", join=asked))
        joined = await _reply(connection, Joined)
    given = _read(joined.certificate)
    if given is None or not certificates.is_issued(given, authority, key):
        raise Refused("the certificate that the cloud gave is not of this host's key and the cloud's authority")
    write_private(files.authority, certificates.pem(authority))
    write_private(files.shown, certificates.pem(given) + certificates.pem_of_key(key))
    membership = Membership(
        address=token.address,
        port=token.port,
        host_id=host_id,
        name=name,
        roles=roles,
        tunnel_port=joined.tunnel_port,
    )
    # Last: what is there is then whole.
    write_private(files.membership, msgspec.json.encode(membership))
    (files.folder / "tls" / "joining.pem").unlink()


def _read(text: str) -> x509.Certificate | None:
    try:
        return certificates.read(text.encode())
    except ValueError:
        return None


def _joining_key(files: Files) -> EllipticCurvePrivateKey:
    """Kept before it is shown: when the cloud's answer is lost, it is asked again with the same token and key."""
    kept = files.folder / "tls" / "joining.pem"
    if not kept.exists():
        write_private(kept, certificates.pem_of_key(certificates.new_key()))
    return certificates.read_key(kept.read_bytes())


async def leave(files: Files, membership: Membership) -> None:
    """Ask the cloud to remove this host. :raises HostError: it does not answer, or there is something on the host."""
    connection = await dial(files, membership, "leave")
    try:
        await _told(connection)
    finally:
        await lines.close(connection.writer)


async def dial(files: Files, membership: Membership, purpose: Purpose, **more: object) -> Connection:
    """A connection to the cloud as a host that has joined. :raises HostError: it does not answer."""
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(files.authority))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(files.shown)
    except OSError as error:
        raise HostError(f"the certificates in {files.folder} cannot be used: {error}", transient=True) from None
    if _ended(files.shown):
        why = f"this host's certificate has ended: tane join --again, with a token made for {membership.name}"
        raise HostError(why, transient=True)
    connection = await _connect(membership.address, membership.port, context)
    try:
        await frames.write(connection.writer, HELLO, greeting(purpose, **more))
    except BaseException:
        await lines.close(connection.writer)
        raise
    return connection


async def _authority(token: JoinToken) -> Authority:
    """Whom the other end says it is: believed only when the pin says the same."""
    unknown = ssl.create_default_context()
    unknown.check_hostname = False
    unknown.verify_mode = ssl.CERT_NONE
    async with _connected(token.address, token.port, unknown) as connection:
        await frames.write(connection.writer, HELLO, greeting("authority"))
        return await _reply(connection, Authority)


@contextlib.asynccontextmanager
async def _connected(address: str, port: int, context: ssl.SSLContext) -> AsyncIterator[Connection]:
    connection = await _connect(address, port, context)
    try:
        yield connection
    finally:
        await lines.close(connection.writer)


async def _connect(address: str, port: int, context: ssl.SSLContext) -> Connection:
    """:raises HostError: nobody answers there, or not the cloud."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            opened = await asyncio.open_connection(address, port, ssl=context, server_hostname=SERVER_NAME)
        return Connection(*opened)
    except ssl.SSLCertVerificationError as error:
        # Also a clock that is not set yet looks like this, or a network that shows a page of its own first.
        why = f"who answers at {address}:{port} is not the cloud: {error.verify_message}"
        raise HostError(why, transient=True) from None
    except ssl.SSLError:
        raise HostError(f"who answers at {address}:{port} is no cloud's port for hosts", transient=True) from None
    except TimeoutError:
        raise HostError(f"nobody answers at {address}:{port}", transient=True) from None
    except OSError as error:
        raise HostError(f"{address}:{port} cannot be reached: {error.strerror or error}", transient=True) from None


async def _told(connection: Connection) -> bytes:
    """What the cloud answers. :raises HostError: what it says instead."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            frame = await frames.read(connection.reader, MOST_BEFORE_TRUST)
        if frame.kind == REPLY:
            return frame.data
        failure = msgspec.json.decode(frame.data, type=Failure)
    except TimeoutError:
        raise Broken("no answer in time") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Broken(f"an answer that cannot be read: {error}") from None
    said = raised(failure)
    # It is shown on a terminal.
    raise said if isinstance(said, HostError) else Broken(f"the cloud failed: {said}")


async def _reply(connection: Connection, kind: type[T]) -> T:
    """:raises HostError: what the cloud says, or nothing that can be read."""
    try:
        return msgspec.json.decode(await _told(connection), type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Broken(f"an answer that cannot be read: {error}") from None


# -------------------------------------------------------------------------------------------------------- the line


class CloudLine:
    """The line of a host that has joined: made anew whenever it breaks, by ``facts`` of the moment.

    A :class:`tane.wire.calls.Line`, so that the host's questions go by it; while there is none they fail.
    """

    def __init__(self, files: Files, membership: Membership) -> None:
        self._files = files
        self._membership = membership
        self._line: Line | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.connected = asyncio.Event()

    async def serve(self, answering: Answering, facts: Callable[[], Awaitable[HostFacts]]) -> None:
        """Talk with the cloud until cancelled. :raises Refused: it lets the host in no longer."""
        pause = AGAIN_SECONDS[0]
        while True:
            try:
                await self._talk(answering, await facts())
            except Refused:
                raise
            except Exception as error:
                # Whatever it is, the guests of this host need their cloud again.
                if self.connected.is_set():
                    pause = AGAIN_SECONDS[0]
                reason = str(error) if isinstance(error, HostError) else traceback.format_exc()
                log.warning("no line to the cloud", reason=reason, again_in=pause)
            finally:
                self.connected.clear()
                self._line = None
            await asyncio.sleep(pause)
            pause = min(2 * pause, AGAIN_SECONDS[1])

    async def _talk(self, answering: Answering, facts: HostFacts) -> None:
        connection = await self._dial("line", facts=facts)
        try:
            await _told(connection)
        except BaseException:
            await lines.close(connection.writer)
            raise
        self._line = Line(connection, answering, self._call, lambda key: self._open(key, answering))
        self.connected.set()
        log.info("the line to the cloud is up", cloud=f"{self._membership.address}:{self._membership.port}")
        await self._line.serve()

    async def _dial(self, purpose: Purpose, **more: object) -> Connection:
        return await dial(self._files, self._membership, purpose, **more)

    async def _call(self) -> Connection:
        return await self._dial("call")

    def _open(self, key: str, answering: Answering) -> None:
        async def opened() -> None:
            try:
                await lines.answer(await self._dial("opened", key=key), answering)
            except HostError as error:
                log.info("a connection to the cloud ended", reason=str(error))

        task = asyncio.create_task(opened())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def begin_anew(self) -> None:
        """End the line; another one begins with new facts."""
        if self._line is not None:
            self._line.end()

    def _current(self) -> Line:
        if self._line is None:
            raise HostError("the cloud does not answer now", transient=True)
        return self._line

    async def ask(self, call: bytes) -> bytes:
        return await self._current().ask(call)

    def stream(self, call: bytes) -> AsyncGenerator[bytes]:
        return self._current().stream(call)

    async def connect(self, call: bytes) -> Connection:
        return await self._current().connect(call)

    async def keep_certified(self, cloud: CloudDuty) -> None:
        """Renew the certificate when two thirds of its life are over, until cancelled."""
        while True:
            await self.connected.wait()
            try:
                if _due(self._files.shown):
                    key = certificates.new_key()
                    renewed = await cloud.renew(certificates.request(self._membership.host_id, key).decode())
                    write_private(self._files.shown, renewed.encode() + certificates.pem_of_key(key))
                    log.info("the host's certificate was renewed")
            except Exception as error:
                log.warning("the host's certificate was not renewed", reason=str(error))
            await asyncio.sleep(LOOK_SECONDS)


def _ended(shown: Path) -> bool:
    return time.time() > x509.load_pem_x509_certificate(shown.read_bytes()).not_valid_after_utc.timestamp()


def _due(shown: Path) -> bool:
    certificate = x509.load_pem_x509_certificate(shown.read_bytes())
    begun, end = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    return time.time() > begun + RENEW_SHARE * (end - begun)


class DistantImages:
    """The content of images, from the cloud (:class:`tane.wire.duties.ImageSource`)."""

    def __init__(self, cloud: CloudDuty) -> None:
        self._cloud = cloud

    def local_path(self, image: ImageRef) -> Path | None:
        return None

    def stream(self, image: ImageRef) -> AsyncIterator[bytes]:
        return self._cloud.image(image)
