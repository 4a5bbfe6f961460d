"""What changes while a page is open, what is found by a word, and how networks hang together."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from tane.services.dashboard.api import lists
from tane.services.dashboard.api.visit import SAFE, Visit, page, waiting
from tane.services.dashboard.domain import showing
from tane.services.dashboard.domain.describing import Call, Column, Kind, Row, id_of, value_of
from tane.services.dashboard.domain.graphs import short
from tane.services.dashboard.domain.showing import plain
from tane.services.dashboard.resources import ALL, KINDS
from tane.web import inside
from tane.web.errors import ApiError
from tane.web.request import Response

MOST_SEARCHED = 200
"""Rows of a kind that a search looks through; servers, volumes and snapshots are asked for by a part of the name."""
MOST_FOUND = 8
NO_NAME = re.compile(r"[0-9a-fA-F.:/-]+")
"""What may be a part of an id or an address."""
LOOKED_AT = ("addresses", "fixed_ips", "cidr", "fixed_ip_address", "floating_ip_address", "mac_address")
STREAM = "text/event-stream"


@waiting
async def events(visit: Visit) -> Response:
    """The events of the visitor's project as they happen, through the session: no page polls."""
    headers = {"accept": STREAM}
    query = {"all_projects": "1"} if visit.ctx.is_admin and visit.request.flag("all") else {}
    if cursor := visit.request.param("cursor"):
        query["cursor"] = cursor
    if last := visit.request.headers.get("last-event-id"):
        headers["last-event-id"] = last[:32]
    answer = await inside.ask(visit.core, visit.ctx, "event", "GET", "", query=query, headers=headers)
    answer.headers = {**SAFE, "X-Accel-Buffering": "no"}
    assert answer.stream is not None and visit.request.stream is not None
    answer.stream = Watched(answer.stream, visit.request.stream)
    return answer


class Watched:
    """A stream that ends as soon as its browser is gone: who goes from page to page holds one of them, not many."""

    def __init__(self, body: Any, incoming: Any) -> None:
        self._body, self._incoming = body, incoming

    async def __aiter__(self) -> AsyncIterator[bytes]:
        gone = asyncio.ensure_future(self._gone())
        parts = aiter(self._body)
        try:
            while True:
                part = asyncio.ensure_future(anext(parts))
                await asyncio.wait((part, gone), return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    part.cancel()
                    with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                        await part
                    return
                try:
                    yield part.result()
                except StopAsyncIteration:
                    return
        finally:
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone

    async def _gone(self) -> None:
        while (await self._incoming.event())["type"] != "http.disconnect":
            pass

    async def close(self) -> None:
        await self._body.close()


@page
def search(visit: Visit) -> Response:
    """Resources by a part of the name, an address or an id."""
    text = (visit.request.param("q") or "").strip()[:200]
    found: list[tuple[Kind, list[tuple[str, str, str]]]] = []
    if text:
        for kind in ALL:
            # Jobs have no names, and are found by their resource's page.
            unnamed = kind.inner or kind.admin or not kind.showing or kind.list_call.service == "job"
            # One's own account is no list, and has its place in the menu.
            unnamed = unnamed or kind.spread is not None
            if unnamed or not visit.may(kind.list_call):
                continue
            if rows := _matching(visit, kind, text):
                found.append((kind, rows))
    return visit.page("found.html" if visit.fragment else "search.html", text=text, found=found)


def _matching(visit: Visit, kind: Kind, text: str) -> list[tuple[str, str, str]]:
    limit: dict[str, str] = {"limit": str(MOST_SEARCHED)} if kind.paged else {}
    # A filter that finds whole names alone would hide what has the text within.
    named = bool(kind.search) and kind.paged and kind.finds_parts
    rows: dict[str, Row] = {}
    try:
        if named:
            asked = {"limit": str(MOST_FOUND), kind.search: lists.searched(kind, text)}
            rows |= {id_of(kind, row): row for row in lists.rows(visit, kind, asked)}
        if not named or NO_NAME.fullmatch(text):
            some = lists.rows(visit, kind, {**limit, **_little(kind)})
            rows |= {id_of(kind, row): row for row in some if _holds(kind, row, text.lower())}
    except ApiError:
        return []
    found = []
    for resource_id, row in list(rows.items())[:MOST_FOUND]:
        label = str(value_of(row, kind.label) or resource_id)
        found.append((label, lists.link(kind.name, resource_id), str(value_of(row, kind.status) or "")))
    return found


def _little(kind: Kind) -> dict[str, str]:
    """The network service is asked for what is looked at alone."""
    if kind.list_call.service != "network":
        return {}
    return {"fields": ",".join(("id", kind.label, kind.status, *LOOKED_AT))}


def _holds(kind: Kind, row: Row, text: str) -> bool:
    looked = [id_of(kind, row), str(value_of(row, kind.label) or "")]
    looked += [plain(row[name]) for name in LOOKED_AT if row.get(name)]
    return any(text in one.lower() for one in looked)


MOST_TASKS = 8
NEWEST = Call.of("job GET ")


@page
def tasks(visit: Visit) -> Response:
    """What is done in the project just now and was done last, with its steps: for the drawer, or as a page."""
    query = {"limit": str(MOST_TASKS), "steps": "1"}
    found = visit.call(NEWEST, query=query)["jobs"] if visit.may(NEWEST) else []
    shown = [(row, *(_shown(visit, row, field, kind) for field, kind in SHOWN)) for row in found]
    chips = [
        [(showing.doing(visit.words, one["step"]), _shown(visit, one, "state", "state")) for one in row["steps"]]
        for row in found
    ]
    template = "tasks.html" if visit.fragment else "tasks_page.html"
    return visit.page(template, tasks=list(zip(shown, chips, strict=True)))


SHOWN = (("operation", "doing"), ("resource", "thing"), ("state", "state"), ("created_at", "time"))


def _shown(visit: Visit, row: Row, field: str, kind: str) -> showing.Cell:
    return showing.cell(visit.words, Column(field, "", kind), row, {}, lists.link)


# ------------------------------------------------------------------------------------------------------------ topology

WIDE, TALL, GAP, BETWEEN, EDGE = 210, 46, 26, 100, 12
MOST_DRAWN = 60


@dataclass(frozen=True)
class Box:
    kind: str
    name: str
    label: str
    href: str
    x: int
    y: int
    tone: str = ""


@dataclass(frozen=True)
class Hung:
    """A network and what hangs on it; without one, what hangs on none."""

    network: Box | None
    id: str
    routers: list[Box] = field(default_factory=list)
    servers: list[Box] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    x1: int
    y1: int
    x2: int
    y2: int


@page
def topology(visit: Visit) -> Response:
    """Networks with what hangs on them. Columns: networks, routers, servers."""

    mine = visit.as_member()

    def rows(name: str, query: dict[str, str] | None = None) -> list[Row]:
        try:
            return lists.rows(mine, KINDS[name], {"limit": str(lists.MOST), **(query or {})})
        except ApiError:
            return []

    networks, routers, servers, ports = rows("networks"), rows("routers"), rows("servers"), rows("ports")
    drawn = draw(networks[:MOST_DRAWN], routers[:MOST_DRAWN], servers[:MOST_DRAWN], ports)
    boxes, lines, height, hung = drawn
    more = max(len(networks), len(routers), len(servers)) > MOST_DRAWN
    return visit.page(
        "topology.html",
        boxes=boxes,
        lines=lines,
        height=height,
        hung=hung,
        wide=WIDE,
        apart=WIDE + BETWEEN,
        tall=TALL,
        more=more,
        most=MOST_DRAWN,
        columns=[("routers", 0), ("networks", 1), ("servers", 2)],
        kinds=KINDS,
        creates=[
            (name, create) for name in ("networks", "routers", "servers") if (create := visit.creates(KINDS[name]))
        ],
    )


def draw(
    networks: list[Row], routers: list[Row], servers: list[Row], ports: list[Row]
) -> tuple[list[Box], list[Line], int, list[Hung]]:
    """Where each box is, and which are connected: by ports, and by gateways; and the same as a list."""
    boxes: list[Box] = []
    places, made = {}, {}
    for column, (kind, some) in enumerate((("routers", routers), ("networks", networks), ("servers", servers))):
        for place, row in enumerate(some):
            x, y = 10 + column * (WIDE + BETWEEN), 40 + place * (TALL + GAP)
            name = str(row.get("name") or row["id"][:8])
            box = Box(kind, name, short(name, WIDE - 2 * EDGE), lists.link(kind, row["id"]), x, y, _tone(row))
            places[row["id"]], made[row["id"]] = (x, y), box
            boxes.append(box)
    pairs: set[tuple[str, str]] = {(port.get("network_id", ""), port.get("device_id", "")) for port in ports}
    pairs |= {(value_of(row, "external_gateway_info/network_id") or "", row["id"]) for row in routers}
    lines = [_line(places[one], places[other]) for one, other in sorted(pairs) if one in places and other in places]
    height = 60 + max([len(networks), len(routers), len(servers), 1]) * (TALL + GAP)
    hung = [Hung(made[row["id"]], row["id"]) for row in networks]
    alone = Hung(None, "")
    for one in [row["id"] for row in (*routers, *servers)]:
        on = [found for found in hung if (found.id, one) in pairs] or [alone]
        for found in on:
            (found.routers if made[one].kind == "routers" else found.servers).append(made[one])
    return boxes, lines, height, [*hung, *([alone] if alone.routers or alone.servers else [])]


def _tone(row: Row) -> str:
    if row.get("router:external"):
        return "outside"
    return "bad" if row.get("status") == "ERROR" else ""


def _line(network: tuple[int, int], device: tuple[int, int]) -> Line:
    left, right = sorted((network, device))
    return Line(left[0] + WIDE, left[1] + TALL // 2, right[0], right[1] + TALL // 2)
