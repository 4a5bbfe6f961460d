"""What things would cost the project: in forms before the button, and as a list. By the cloud's own quotes, which are
for everybody, and in which prices of the project alone count, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from tane.services.dashboard.api import lists
from tane.services.dashboard.api.visit import Visit, page
from tane.services.dashboard.domain.describing import Action, Call, Kind, Row
from tane.services.dashboard.domain.forms import Input
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources import KINDS
from tane.web.errors import ApiError
from tane.web.request import Response

HOURS = 730
"""Of a month in the mean."""
MOST_IN_FORM, MOST_IN_LIST = 10, 50
"""Flavors; and as many types of volumes."""
QUOTE = Call.of("rating POST /v1/rating/quote")
Offered = Sequence[tuple[Input, Sequence[tuple[str, str]]]]
Thing = tuple[str, Row]
"""What it is called, and what rating knows it by."""


def of_flavors(visit: Visit, wanted: Sequence[str] | None = None) -> list[Thing]:
    every = visit.told.get("offered flavors") or lists.rows(visit, KINDS["flavors"])
    found = [row for row in every if wanted is None or str(row["id"]) in wanted]
    return [(str(row["name"]), _server(row)) for row in found[: MOST_IN_LIST if wanted is None else MOST_IN_FORM]]


def _server(flavor: Row) -> Row:
    """A server of a flavor that runs, as rating knows it."""
    told = {"flavor_id": flavor["id"], "flavor_name": flavor["name"], "state": "active"}
    sizes = {"vcpus": flavor.get("vcpus"), "memory": flavor.get("ram"), "disk": flavor.get("disk")}
    return _thing("instance", **told, **{name: str(size) for name, size in sizes.items()})


def of_volumes(visit: Visit, service: str = "volume.size", only: str = "", most: int = MOST_IN_FORM) -> list[Thing]:
    """A GiB of each type, or of the one called ``only``."""
    found = visit.told.get("offered volume-types") or lists.rows(visit, KINDS["volume-types"])
    told = [(str(row["name"]), str(row["id"])) for row in found if not only or row["name"] == only]
    words = {
        "volume.size": N_("1 GiB of a volume ({type})"),
        "volume.snapshot.size": N_("1 GiB of a snapshot ({type})"),
    }
    return [
        (visit.words(words[service], type=name), _thing(service, volume_type=name, volume_type_id=number))
        for name, number in told[:most]
    ]


def of_images(visit: Visit) -> list[Thing]:
    """Rating counts them in MiB."""
    told = {"container_format": "bare", "disk_format": "qcow2"}
    return [(visit.words(N_("1 GiB of an image")), {**_thing("image.size", **told), "volume": "1024"})]


def _thing(service: str, **fields: object) -> Row:
    return {"service": service, "desc": fields, "volume": "1"}


def of_one(title: str, service: str) -> Callable[[Visit], list[Thing]]:
    return lambda visit: [(visit.words(title), _thing(service))]


FLOATING, ROUTER = of_one(N_("Floating IP"), "ip.floating"), of_one(N_("Router"), "router")
OBJECTS = of_one(N_("1 GiB of objects"), "storage.objects.size")


def _launch(visit: Visit, row: Row, flavors: Sequence[str]) -> list[Thing]:
    return of_flavors(visit, flavors) + of_volumes(visit)


FORMS: Mapping[tuple[str, str], Callable[[Visit, Row, Sequence[str]], list[Thing]]] = {
    ("servers", "create"): _launch,
    ("servers", "resize"): lambda visit, row, flavors: of_flavors(visit, flavors),
    ("volumes", "create"): lambda visit, row, flavors: of_volumes(visit),
    ("volumes", "extend"): lambda visit, row, flavors: of_volumes(visit, only=str(row.get("volume_type") or "")),
    ("volumes", "retype"): lambda visit, row, flavors: of_volumes(visit),
    ("volumes", "snapshot"): lambda visit, row, flavors: of_volumes(
        visit, "volume.snapshot.size", str(row.get("volume_type") or "")
    ),
    ("snapshots", "create"): lambda visit, row, flavors: of_volumes(visit, "volume.snapshot.size"),
    ("images", "create"): lambda visit, row, flavors: of_images(visit),
    ("servers", "snapshot"): lambda visit, row, flavors: of_images(visit),
    ("floating-ips", "create"): lambda visit, row, flavors: FLOATING(visit),
    ("routers", "create"): lambda visit, row, flavors: ROUTER(visit),
}
"""What a form that makes something, or makes it larger, is about, by its kind and action."""


def quotes(visit: Visit, kind: Kind, action: Action, row: Row, offered: Offered) -> list[tuple[str, str]]:
    """(what, its price a month) before one orders it; nothing where it costs nothing."""
    about = FORMS.get((kind.name, "create" if action is kind.create else action.name))
    if about is None:
        return []
    flavors = [key for one, some in offered if one.field.ref == "flavors" for key, _ in some if key]
    try:
        [found] = _priced(visit, [about(visit, row, flavors)])
        return [(name, money(visit, hour * HOURS)) for name, hour in found]
    except ApiError:
        # Who may not ask what things cost orders them all the same.
        return []


def _priced(visit: Visit, parts: Sequence[Sequence[Thing]]) -> list[list[tuple[str, Decimal]]]:
    """(what, its price an hour) of what has a price, of each part; one call for all of them."""
    asked = [thing for part in parts for _, thing in part]
    told = iter(visit.call(QUOTE, {"resources": asked}, {"details": "1"})["prices"] if asked else ())
    found = [[(name, Decimal(next(told))) for name, _ in part] for part in parts]
    return [[(name, price) for name, price in part if price] for part in found]


def money(visit: Visit, amount: Decimal) -> str:
    """In coins; of less than one as many digits as say something."""
    rating = visit.core.config.rating
    digits = rating.digits
    while amount and digits < 9 and not round(amount, digits):
        digits += 1
    return f"{amount:.{digits}f} {rating.currency}"


def _of_types(visit: Visit) -> list[Thing]:
    return [
        thing for name in ("volume.size", "volume.snapshot.size") for thing in of_volumes(visit, name, "", MOST_IN_LIST)
    ]


@page
def show(visit: Visit) -> Response:
    """The list of prices."""
    parts = (
        (N_("Servers, while they run"), of_flavors),
        (N_("Volumes and snapshots"), _of_types),
        (N_("Others"), lambda visit: of_images(visit) + OBJECTS(visit) + FLOATING(visit) + ROUTER(visit)),
    )
    found = _priced(visit, [about(visit) for _, about in parts])
    told = [
        (title, [(name, money(visit, hour), money(visit, hour * HOURS)) for name, hour in some])
        for (title, _), some in zip(parts, found, strict=True)
        if some
    ]
    return visit.page("prices.html", parts=told, command="openstack rating quote get")
