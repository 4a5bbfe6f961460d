"""Charts of what is measured: of a server, of a project, of a host. What is asked for is what any user may ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tane.services.dashboard.api.visit import PREFIX, Visit, page
from tane.services.dashboard.domain import charts, forms, showing
from tane.services.dashboard.domain.charts import Series
from tane.services.dashboard.domain.describing import Call, Row
from tane.services.dashboard.domain.messages import N_
from tane.web import codec, inside
from tane.web.errors import ApiError
from tane.web.request import Response

SPANS = {
    "hour": (N_("The last hour"), 300, 12),
    "day": (N_("The last day"), 1800, 48),
    "week": (N_("The last week"), 4 * 3600, 42),
}
"""By name: title, seconds of a period, how many. So few that the page with all figures is small."""
MIB = 1 << 20
EACH = N_("Of several disks or network cards: what each has, in the mean; alarms count the same.")
ALL_TOGETHER = N_("All servers together; an alarm of the project counts the mean of them.")


class Line(NamedTuple):
    """A metric of resources of a type. ``rate``: it is a counter, of which the growth between two batches is shown,
    for a second."""

    title: str
    kind: str
    metric: str
    rate: bool
    factor: float


class Picture(NamedTuple):
    title: str
    unit: Callable[[float], str]
    least: float
    """What the picture reaches up to, at least."""
    lines: Sequence[Line]


DISK, CARD = "instance_disk", "instance_network_interface"
GUESTS = (
    Picture(N_("Processor"), charts.percent, 1.0, (Line(N_("Processor"), "instance", "cpu", True, 1e-7),)),
    Picture(N_("Memory"), showing.size, MIB, (Line(N_("Memory"), "instance", "memory.resident", False, MIB),)),
    Picture(
        N_("Disks"),
        charts.speed,
        1024.0,
        (
            Line(N_("read"), DISK, "disk.device.read.bytes", True, 1),
            Line(N_("written"), DISK, "disk.device.write.bytes", True, 1),
        ),
    ),
    Picture(
        N_("Network"),
        charts.speed,
        1024.0,
        (
            Line(N_("came in"), CARD, "network.incoming.bytes", True, 1),
            Line(N_("went out"), CARD, "network.outgoing.bytes", True, 1),
        ),
    ),
)
HOST = (
    Picture(
        N_("Load (processes)"),
        charts.number,
        1.0,
        (Line(N_("Load (processes)"), "host", "hardware.cpu.load.1min", False, 1),),
    ),
    Picture(N_("Memory"), showing.size, MIB, (Line(N_("Memory"), "host", "hardware.memory.used", False, 1024),)),
    Picture(N_("Disks"), showing.size, MIB, (Line(N_("Disks"), "host", "hardware.disk.size.used", False, 1024),)),
)
"""Memory of guests is told in units of 2^20 bytes, that of hosts in units of 2^10; a processor in nanoseconds."""


def _operations(line: Line, method: str) -> str:
    return f"(aggregate {method} (metric {line.metric} {'rate:mean' if line.rate else 'mean'}))"


class Span(NamedTuple):
    """``start``: seconds since 1970, at the beginning of a period; ``long``: times are shown with their day."""

    start: int
    period: int
    periods: int
    long: bool

    @classmethod
    def of(cls, name: str, now: int) -> Span:
        _, period, count = SPANS[name]
        return cls(now // period * period - period * (count - 1), period, count, name != "hour")


def _measured(visit: Visit, line: Line, search: Any, start: int, method: str) -> charts.Points:
    """The points of a metric, of all resources that the search finds; none when nobody has measured it yet."""
    body = {"operations": _operations(line, method), "resource_type": line.kind, "search": search}
    query = {"start": str(start), "needed_overlap": "0", "fill": "0"}
    try:
        found = visit.call(Call.of("metric POST /v1/aggregates"), body, query)
    except ApiError as error:
        if error.status != 404:
            raise
        return []
    told = found["measures"].get("aggregated", ())
    return [(datetime.fromisoformat(at).timestamp(), granularity, value) for at, granularity, value in told]


def _shown(
    visit: Visit,
    pictures: Sequence[Picture],
    search: Callable[[str], Any],
    label: str,
    way: Sequence[tuple[str, str]],
    method: str = "mean",
) -> Response:
    """A page of charts. ``search``: what finds the resources of a type; ``way``: (title, address) of where it is;
    ``method``: what is made of several resources (disks, cards): as alarms do, the mean; of a project, the sum."""
    wanted = visit.request.param("span") or "hour"
    name = wanted if wanted in SPANS else "hour"
    span = Span.of(name, int(visit.core.clock.now().replace(tzinfo=UTC).timestamp()))
    problem, found = "", []
    try:
        found = [
            (one, [_series(visit, line, search(line.kind), span, method) for line in one.lines]) for one in pictures
        ]
    except ApiError as error:
        problem = visit.refusal(error)
    columns = [
        (charts.name_of(visit.words(picture.title), series, one), one, picture.unit)
        for picture, series in found
        for one in series
    ]
    first = pictures[0].lines[0]
    operations = forms.quoted(_operations(first, method))
    where = forms.quoted(codec.encode(search(first.kind)).decode())
    return visit.page(
        "charts.html",
        charts=[charts.drawn(visit.words(one.title), series, one.unit, one.least) for one, series in found],
        label=label,
        way=way,
        spans=[(key, title) for key, (title, _, _) in SPANS.items()],
        span=name,
        titles=[title for title, _, _ in columns],
        rows=charts.table([(one, unit) for _, one, unit in columns], span.start, span.period, span.periods),
        problem=problem,
        meant=visit.words(ALL_TOGETHER if method == "sum" else EACH),
        begin=charts.moment(span.start, span.long),
        end=charts.moment(span.start + span.period * span.periods, span.long),
        wide=charts.WIDTH,
        tall=charts.HEIGHT,
        command=f"openstack metric aggregates --resource-type {first.kind} {operations} {where}",
    )


def _series(visit: Visit, line: Line, search: Any, span: Span, method: str) -> Series:
    points = _measured(visit, line, search, span.start, method)
    interval = max(visit.core.config.metric.interval, 1)
    factor = line.factor / interval if line.rate else line.factor
    return Series(visit.words(line.title), charts.gathered(points, span.start, span.period, span.periods, factor))


async def server(visit: Visit, server_id: str, row: Row) -> Response:
    """What a server uses."""

    def search(kind: str) -> Any:
        return {"=": {"id" if kind == "instance" else "instance_id": server_id}}

    kind = visit.request.path["kind"]
    label = str(row.get("name", ""))
    return await visit.in_thread(lambda: _of_one(visit, kind, server_id, label, GUESTS, search))


async def host(visit: Visit, host_id: str, row: Row) -> Response:
    """What a host uses; its metrics are nobody's, and shown to administrators."""
    label = str(row.get("name", ""))
    search = {"=": {"id": host_id}}
    return await visit.in_thread(lambda: _of_one(visit, "hosts", host_id, label, HOST, lambda kind: search))


def _of_one(
    visit: Visit, kind: str, resource_id: str, label: str, pictures: Sequence[Picture], search: Callable[[str], Any]
) -> Response:
    from tane.services.dashboard.resources import KINDS

    way = [
        (visit.words(KINDS[kind].title), f"{PREFIX}/{kind}"),
        (label or resource_id, f"{PREFIX}/{kind}/{inside.part(resource_id)}"),
    ]
    return _shown(visit, pictures, search, label or resource_id, way)


@page
def project(visit: Visit) -> Response:
    """What all servers of the project use together."""
    search = {"=": {"project_id": visit.ctx.project_id}}
    way = [(visit.words("Overview"), PREFIX)]
    return _shown(visit, GUESTS, lambda kind: search, str(visit.ctx.project_name), way, "sum")
