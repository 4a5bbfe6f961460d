"""A machine that joins meets somebody who is on the way, or a cloud in other hands: it believes and keeps nothing."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from tane.agent import cloud as agent_cloud
from tane.hosts import joining
from tane.wire import certificates, frames
from tane.wire.calls import Failure
from tane.wire.errors import HostError, Refused
from tane.wire.frames import FAILURE, HELLO, REPLY
from tane.wire.joining import MOST_BEFORE_TRUST, Authority, Hello, Joined, JoinToken

OTHER = certificates.new_authority("other")
CLOUD = certificates.new_authority("cloud")
HOST = str(uuid.uuid4())
KEY = certificates.new_key()
Says = Callable[[Hello], tuple[int, bytes]]


def _reply(document: msgspec.Struct) -> tuple[int, bytes]:
    return REPLY, msgspec.json.encode(document)


def _authority(certificate: str, now: float) -> tuple[int, bytes]:
    return _reply(Authority(certificate=certificate, now=now))


@contextlib.asynccontextmanager
async def cloud(folder: Path, says: Says) -> AsyncIterator[JoinToken]:
    """Somebody who listens and answers each greeting so; a token of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(joining.write_server_files(CLOUD, folder)[0])

    async def heard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = msgspec.json.decode(await frames.expect(reader, HELLO), type=Hello)
        with contextlib.suppress(frames.Broken):
            await frames.write(writer, *says(hello))
        writer.close()

    server = await asyncio.start_server(heard, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield JoinToken("127.0.0.1", port, HOST, "5" * 64, certificates.pin(CLOUD.certificate))


def join(folder: Path, says: Says) -> None:
    """A machine tries to join, and keeps nothing."""
    files = agent_cloud.Files(folder / "host")

    async def work() -> None:
        async with cloud(folder / "cloud", says) as token:
            await agent_cloud.join(files, token, HOST, "beta", ("compute",), simulated=False)

    try:
        asyncio.run(work())
    finally:
        assert not any(file.exists() for file in (files.membership, files.shown, files.authority))


PEM_OF = {"nothing": "", "garbage": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}


@pytest.mark.parametrize("text", [*PEM_OF.values(), certificates.pem(OTHER.certificate).decode()])
def test_an_authority_that_is_not_the_tokens_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(HostError):
        join(tmp_path, lambda hello: _authority(text, 0.0))


@pytest.mark.parametrize("kind", ["HostError", "Refused", "ValueError", "os", ""])
def test_what_it_says_reaches_a_terminal_as_one_plain_line(tmp_path: Path, kind: str) -> None:
    said = msgspec.json.encode(Failure(kind, "\x1b]0;mine\x07 no\nway\x9b2J", False))
    with pytest.raises(HostError) as caught:
        join(tmp_path, lambda hello: (FAILURE, said))
    assert str(caught.value).isprintable() and "no way" in str(caught.value)


def test_more_than_a_stranger_may_say_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="are the most"):
        join(tmp_path, lambda hello: (REPLY, b" " * (MOST_BEFORE_TRUST + 1)))


@pytest.mark.parametrize("what", ["nothing", "garbage", "another key", "another authority"])
def test_a_certificate_that_is_not_its_own_is_not_kept(tmp_path: Path, what: str) -> None:
    of_another_key = CLOUD.sign("beta", KEY.public_key(), 1, certificates.CLIENT)
    given = {**PEM_OF, "another key": certificates.pem(of_another_key).decode()}

    def says(hello: Hello) -> tuple[int, bytes]:
        own = certificates.pem(CLOUD.certificate).decode()
        if hello.join is None:
            return _authority(own, time.time())
        key = certificates.requested_key(hello.join.request.encode())
        mine = certificates.pem(OTHER.sign("beta", key, 1, certificates.CLIENT)).decode()
        return _reply(Joined(certificate=given.get(what, mine), authority=own, tunnel_port=4789))

    with pytest.raises(Refused if what.startswith("another") else HostError):
        join(tmp_path, says)
