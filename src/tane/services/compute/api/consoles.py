"""Consoles: the URL, what it opens, and the screen behind it (Compute API: "Server consoles")."""

from __future__ import annotations

import asyncio
import contextlib
import mimetypes
from typing import Any
from urllib.parse import urlencode, urlsplit

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.compute.domain import consoles
from tane.web.errors import Forbidden, NotFound, Unauthorized
from tane.web.request import Request, Response
from tane.web.sockets import WebSocket

PAGE = "vnc_lite.html"
SOCKET = "/console/websockify"
LONGEST_PATH = 255
"""Bytes; noVNC's are shorter, and a longer name than this is none to a file system (NAME_MAX)."""
SHOWN = frozenset((".html", ".js", ".css", ".json", ".map", ".svg", ".png", ".ico", ".mp3", ".oga", ".ttf", ".woff"))
"""Kinds of files a page is made of; others are nobody's business, wherever the setting leads."""
PAGE_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'",
}
"""noVNC takes from its address where it connects to: a link must not show another's machine in a page of this cloud.
Other pages may frame it, as Horizon does: they need a token that is for this one server."""
NOT_INSTALLED = """<!doctype html>
<html lang="en"><title>noVNC is not installed</title>
<p>This console is shown by noVNC, which is not installed on the machine that serves the cloud.
<p>Install it there and load this page again: <code>sudo apt-get install --no-install-recommends novnc</code>
<p>The WebSocket this address names works without it, for any client that speaks VNC over WebSockets.
</html>
"""


async def create(request: Request) -> dict[str, Any]:
    """A console of a server, as a URL that opens it for a while."""
    wanted = request.body.remote_console
    url = await _url(request, wanted.protocol, wanted.type)
    return {"remote_console": {"protocol": wanted.protocol, "type": wanted.type, "url": url}}


async def vnc(request: Request) -> dict[str, Any]:
    """The screen of a server."""
    return await _old(request, "vnc", request.body.console.type)


async def spice(request: Request) -> dict[str, Any]:
    """SPICE, which this cloud has not: always refused."""
    return await _old(request, "spice", request.body.console.type)


async def rdp(request: Request) -> dict[str, Any]:
    """RDP, which this cloud has not: always refused."""
    return await _old(request, "rdp", request.body.console.type)


async def serial(request: Request) -> dict[str, Any]:
    """The serial console of a server, to read and to type into."""
    return await _old(request, "serial", request.body.console.type)


async def _old(request: Request, protocol: str, console_type: str) -> dict[str, Any]:
    """The answer of the actions that came before ``remote-consoles``."""
    return {"console": {"type": console_type, "url": await _url(request, protocol, console_type)}}


async def _url(request: Request, protocol: str, console_type: str) -> str:
    """noVNC connects to the host of its page at ``path``, which carries the token; a serial console is the WebSocket
    itself, for a terminal to connect to, as Nova's is."""
    server_id = request.path["server_id"]
    token = await consoles.open_console(request.core, request.ctx, server_id, protocol, console_type)
    if console_type == consoles.SERIAL:
        base = urlsplit(request.base_url)
        return f"{'wss' if base.scheme == 'https' else 'ws'}://{base.netloc}/{_socket_path(request, token)}"
    return f"{request.service_url}/console/{PAGE}?{urlencode({'path': _socket_path(request, token)})}"


def _socket_path(request: Request, token: str) -> str:
    prefix = urlsplit(request.service_url).path.strip("/")
    return f"{prefix}{SOCKET}?{urlencode({'token': token})}"


def connection(request: Request) -> dict[str, Any]:
    """Where the screen of a token is reached: the WebSocket, since guests listen on no network address."""
    token = request.path["token"]
    found = consoles.of_token(request.core, token)
    if found is None:
        raise NotFound("Token not found")
    if request.version < (2, 31):
        raise Unauthorized("The requested console type details are not accessible")
    base = urlsplit(request.base_url)
    return {
        "console": {
            "instance_uuid": found.server_id,
            "host": base.hostname,
            "port": base.port or (443 if base.scheme == "https" else 80),
            "internal_access_path": _socket_path(request, token),
        }
    }


def page(request: Request) -> Response:
    """A file of noVNC, the page that shows a console. They are public and the same for everyone."""
    parts = request.path["file"].split("/")
    folder = request.core.config.novnc_dir
    file = folder.joinpath(*parts)
    plain = all(part and not part.startswith(".") for part in parts) and file.suffix in SHOWN
    if plain and len(request.path["file"].encode()) <= LONGEST_PATH and file.is_file():
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        return Response(file.read_bytes(), headers=PAGE_HEADERS, content_type=kind)
    if parts == [PAGE]:
        return Response(NOT_INSTALLED.encode(), 503, PAGE_HEADERS, content_type="text/html; charset=utf-8")
    raise NotFound(f"There is no file {request.path['file']}.")


async def attach(core: Core, socket: WebSocket) -> None:
    """The screen or serial console of the server that the token in the address is for, until either side ends, or who
    got the token may not see it any more."""
    token = socket.query.get("token", "")
    found = await core.in_thread(consoles.of_token, core, token)
    if found is None:
        raise Forbidden("The token is unknown or its time is over.")
    with consoles.viewing(core, found, token):
        showing = asyncio.create_task(_show(core, socket, found))
        try:
            while not (await asyncio.wait((showing,), timeout=consoles.LOOK_SECONDS))[0]:
                if not await core.in_thread(consoles.may_still, core, found):
                    raise Forbidden("The rights by which the console was opened are gone.")
            await showing
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)


async def _show(core: Core, socket: WebSocket, found: Row[Any]) -> None:
    reader, writer = await consoles.connect(core, found.server_id, found.host_id, found.console_type)
    try:
        await socket.accept()
        await socket.relay(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
