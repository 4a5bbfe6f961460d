"""Consoles of several servers in one page."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from tane.services.dashboard.api import lists
from tane.services.dashboard.api.visit import SAFE, Visit, page
from tane.services.dashboard.domain.describing import Call, Row
from tane.services.dashboard.resources import KINDS
from tane.web import codec
from tane.web.request import Response

MOST = 500
"""Servers to choose from."""
LIBRARY = "/console/core/rfb.js"
"""noVNC's, as compute serves it."""
OPEN = Call.of("compute POST /v2.1/servers/{id}/remote-consoles")


@page
def show(visit: Visit) -> Response:
    """The page that holds them; its script opens each by a request of its own."""
    found = lists.listed(KINDS["servers"], visit.call(Call.of("compute GET /v2.1/servers"), query={"limit": str(MOST)}))
    servers = sorted(((str(row["id"]), str(row["name"])) for row in found), key=lambda one: one[1])
    prefix = next(one.prefix for one in visit.core.services if one.name == "compute")
    return visit.page(
        "consoles.html",
        servers=servers,
        create=visit.creates(KINDS["servers"]),
        chosen=visit.request.param("server") or "",
        novnc=f"{prefix}{LIBRARY}",
        command="openstack console url show <server>",
    )


async def screen_socket(visit: Visit, server_id: str, row: Row) -> Response:
    """The address of a server's screen, with a token of its own."""
    answer = await visit.ask(OPEN, {"remote_console": {"protocol": "vnc", "type": "novnc"}}, id=server_id)
    found = parse_qs(urlsplit(str(answer["remote_console"]["url"])).query)
    return Response(codec.encode({"socket": f"/{found['path'][0]}"}), 200, SAFE)
