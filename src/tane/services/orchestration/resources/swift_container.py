"""``OS::Swift::Container`` and ``AWS::S3::Bucket``: containers of object storage.

Its rows are in a database of its own, so nothing is made there in a transaction of ours: what is to be done stands in
the resource's row, is asked for between two transactions, and again after a crash, until it was answered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tane.services.orchestration.resources import heirs
from tane.services.orchestration.resources.base import Errand, Failed, Kind, Told, Wait
from tane.services.orchestration.resources.declaring import flag, listing, mapping, one_of, shown, text
from tane.services.orchestration.store import resources
from tane.web.errors import BadRequest, NotFound, NotImplementedHere
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

PAGE = 1000
MOST_TRIES = 3
"""So often a container is emptied in which there is something again."""
KEY = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
MOST_VALUE = 256
ACCEPTED, CONFLICT = 202, 409
HARMLESS = {"empty": (404,), "remove": (404,), "withdraw": (404, 409)}
"""Errors that say it is as it is to be, by what was asked for."""


def path_of(hand: Hand, *names: str) -> str:
    return "/".join(["/v1", part(f"AUTH_{hand.stack.project_id}"), *(part(name) for name in names)])


def header(name: str, value: Any) -> str:
    """A value as HTTP has it. :raises BadRequest: it is none that a header can have."""
    told = str(value)
    if not told.isprintable() or len(told.encode()) > MOST_VALUE:
        raise BadRequest(f"{name}: a value has at most {MOST_VALUE} bytes, all of them printable.")
    return told.encode().decode("latin-1")


def described(prefix: str, given: Mapping[str, Any]) -> dict[str, str]:
    """Metadata as headers. :raises BadRequest: a name that no header can have."""
    for name in given:
        if not KEY.match(str(name)):
            raise BadRequest(f"{prefix}: a name has at most 100 letters, digits, - and _, not {str(name)[:100]!r}.")
    return {f"{prefix}-{name}".lower(): header(prefix, value) for name, value in given.items()}


def kin(hand: Hand, name: str) -> list[Any]:
    """The other resources of the stack by this name that stand for the same container, and are not about to go: one
    that takes its place, or whose place it takes."""
    return [row for row in heirs.of(hand) if row.physical_id == name]


def is_made(row: Any) -> bool:
    """Whether the container of a resource is known to be the stack's."""
    todo = row.data.get("todo") or ()
    return not (row.data.get("refused") or "make" in todo or "look" in todo)


def _taken(hand: Hand, name: str) -> str:
    """Whose container that was there is. What is renamed in a template is another resource: with the old one its
    container would go."""
    rows = resources.light(hand.tx, hand.stack.id)
    other = next((row.name for row in rows if row.physical_id == name and row.name != hand.row.name), None)
    if other is None:
        return f"There is a container {name} already, which this stack did not make."
    return f"The container {name} is that of the resource {other}: that has to be deleted before."


def _names(told: Told) -> list[str]:
    return [str(one["name"]) for one in told.body or () if "name" in one]


class Stored(Kind):
    """``purges``: the property by which objects go with the container."""

    away = True
    adopts = True
    purges: ClassVar[str] = ""

    def named(self, hand: Hand) -> str:
        raise NotImplementedError

    def headers(self, properties: Mapping[str, Any]) -> dict[str, str]:
        """Those of the container. :raises BadRequest:"""
        raise NotImplementedError

    def account_headers(self, properties: Mapping[str, Any]) -> dict[str, str]:
        return {}

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        self.headers(properties)
        self.account_headers(properties)

    def create(self, hand: Hand) -> str | None:
        name = self.named(hand)
        if not name or len(name.encode()) > 255 or "/" in name or not name.isprintable() or name in (".", ".."):
            raise BadRequest("The name of a container has at most 255 bytes, and no slash.")
        todo = ["make", *(["set"] if self.headers(hand.properties) else [])]
        asked = sum(int(one.data.get("asked", 0)) for one in kin(hand, name) if "make" in (one.data.get("todo") or ()))
        hand.keep(todo=[*todo, *(["describe"] if self.account_headers(hand.properties) else [])], asked=asked)
        return name

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        """What headers say is changed where it is: objects stay."""
        wanted, told = self.headers(hand.properties), self.headers(hand.row.properties)
        todo = list(hand.row.data.get("todo") or ())
        if wanted != told:
            todo.append("set")
        if self.account_headers(hand.properties) != self.account_headers(hand.row.properties):
            todo.append("describe")
        dropped = {*told, *(hand.row.data.get("dropped") or ())} - set(wanted)
        hand.keep(todo=list(dict.fromkeys(todo)), dropped=sorted(dropped))

    def wanted_again(self, hand: Hand) -> None:
        hand.drop("todo")
        hand.drop("tries")

    def is_well(self, hand: Hand) -> bool:
        """One of which a change was refused has its objects still."""
        if not is_made(hand.row):
            return False
        try:
            self.show(hand)
        except NotFound:
            return False
        return True

    def ready(self, hand: Hand) -> bool:
        """:raises Failed: it is not the stack's."""
        if hand.row.data.get("refused"):
            raise Failed(hand.row.data["refused"])
        return not hand.row.data.get("todo")

    def waits(self, hand: Hand) -> Wait:
        return Wait(0.0)

    def delete(self, hand: Hand) -> None:
        """Only what this made goes, and not while another of the stack stands for it: the one that took its place, or
        the one whose place this was to take."""
        if hand.row.physical_id is None or hand.row.data.get("refused"):
            return
        name = str(hand.row.physical_id)
        if any(is_made(one) for one in kin(hand, name)) or not (is_made(hand.row) or hand.row.data.get("asked")):
            hand.keep(todo=[], refused=f"The container {name} is left where it is.")
        elif not is_made(hand.row):
            # It was asked for, and nobody heard the answer: what holds something is not what this made.
            hand.keep(todo=["withdraw"], refused=f"The container {name} was never known to be there.")
        else:
            hand.keep(todo=["empty", "remove"], tries=0)

    def gone(self, hand: Hand) -> bool:
        return not hand.row.data.get("todo")

    def errand(self, hand: Hand) -> Errand | None:
        todo: Sequence[str] = hand.row.data.get("todo") or ()
        if not todo:
            return None
        place = path_of(hand, str(hand.row.physical_id))
        if todo[0] == "make":
            # Without headers: what somebody else has there under that name stays as it is.
            hand.keep(asked=int(hand.row.data.get("asked", 0)) + 1)
            return Errand("object", "PUT", place)
        if todo[0] == "set":
            dropped = dict.fromkeys(hand.row.data.get("dropped") or (), "")
            return Errand("object", "POST", place, {**dropped, **self.headers(hand.properties)})
        if todo[0] == "describe":
            return Errand("object", "POST", path_of(hand), self.account_headers(hand.properties))
        if todo[0] in ("look", "empty"):
            return Errand("object", "GET", place, query={"format": "json", "limit": str(PAGE)})
        return Errand("object", "DELETE", place)

    def ran(self, hand: Hand, told: Told) -> Errand | None:
        todo: list[str] = list(hand.row.data.get("todo") or ())
        if not todo:
            return None
        if todo[0] in ("make", "look"):
            self._made(hand, todo, told)
            return None
        if todo[0] == "remove" and told.status == CONFLICT and self._purges(hand):
            self._again(hand, told)
            return None
        if told.status >= 400 and told.status not in HARMLESS.get(todo[0], ()):
            raise Failed(told.message)
        if todo[0] == "empty":
            return self._empties(hand, todo, told)
        hand.keep(todo=todo[1:])
        return None

    def _made(self, hand: Hand, todo: list[str], told: Told) -> None:
        """201: it is ours; 202: something was there: ours if an earlier answer was not heard and it is empty, or if it
        is that of the one whose place this takes. Nothing is raised, as that would undo that it is known."""
        name = str(hand.row.physical_id)
        there = told.status == ACCEPTED and not any(is_made(one) for one in kin(hand, name))
        if told.status >= 400:
            hand.keep(todo=[], refused=told.message)
        elif todo[0] == "make" and there and int(hand.row.data.get("asked", 0)) > 1:
            hand.keep(todo=["look", *todo[1:]])
        elif there or _names(told):
            hand.keep(todo=[], refused=_taken(hand, name))
        else:
            hand.keep(todo=todo[1:])

    def _purges(self, hand: Hand) -> bool:
        return bool(self.purges and hand.properties.get(self.purges))

    def _again(self, hand: Hand, told: Told) -> None:
        """Something came in since it was empty."""
        tries = int(hand.row.data.get("tries", 0)) + 1
        if tries > MOST_TRIES:
            raise Failed(told.message)
        hand.keep(todo=["empty", "remove"], tries=tries)

    def _empties(self, hand: Hand, todo: list[str], told: Told) -> Errand | None:
        """A page of names, which one call deletes; or what came of that."""
        if isinstance(told.body, Mapping):
            return None
        names, place = _names(told), str(hand.row.physical_id)
        if names and not self._purges(hand):
            raise Failed(f"Deleting non-empty container ({place}) when PurgeOnDelete is False")
        if names:
            lines = "\n".join(f"/{part(place)}/{part(name)}" for name in names)
            return Errand("object", "POST", path_of(hand, place), query={"bulk-delete": ""}, content=lines.encode())
        hand.keep(todo=todo[1:])
        return None

    def show(self, hand: Hand) -> Mapping[str, Any]:
        from tane.services.object import interface as objects

        hand.check_rules("object", "GET", path_of(hand, str(hand.row.physical_id)))
        found = objects.container(hand.core, hand.stack.project_id, str(hand.row.physical_id))
        if found is None:
            raise NotFound(f"The container {hand.row.physical_id} could not be found.")
        return {"x-container-object-count": str(found.objects), "x-container-bytes-used": str(found.bytes)}

    def root(self, hand: Hand) -> str:
        return f"{hand.core.config.url}/object-store{path_of(hand)}"


class Container(Stored):
    name = "OS::Swift::Container"
    description = "A resource for managing Swift containers."
    purges = "PurgeOnDelete"
    properties = {
        "name": text("Name for the container."),
        "X-Container-Read": text(
            "Specify the ACL permissions on who can read objects in the container.", update="in_place"
        ),
        "X-Container-Write": text(
            "Specify the ACL permissions on who can write objects to the container.", update="in_place"
        ),
        "X-Container-Meta": mapping(
            "A map of user-defined meta data to associate with the container.", default={}, update="in_place"
        ),
        "X-Account-Meta": mapping(
            "A map of user-defined meta data to associate with the account.", default={}, update="in_place"
        ),
        "PurgeOnDelete": flag(
            "If True, delete any objects in the container when it is deleted.", default=False, update="in_place"
        ),
    }
    attributes = shown(
        {
            "DomainName": "string",
            "WebsiteURL": "string",
            "RootURL": "string",
            "ObjectCount": "integer",
            "BytesUsed": "integer",
            "HeadContainer": "map",
            "show": "map",
        }
    )

    def named(self, hand: Hand) -> str:
        return str(hand.properties.get("name") or hand.physical_name())

    def headers(self, properties: Mapping[str, Any]) -> dict[str, str]:
        found = described("x-container-meta", properties.get("X-Container-Meta") or {})
        for name in ("X-Container-Read", "X-Container-Write"):
            if properties.get(name) is not None:
                found[name.lower()] = header(name, properties[name])
        return found

    def account_headers(self, properties: Mapping[str, Any]) -> dict[str, str]:
        return described("x-account-meta", properties.get("X-Account-Meta") or {})

    def attribute(self, hand: Hand, name: str) -> Any:
        if name in ("DomainName", "WebsiteURL", "RootURL"):
            return addresses(self.root(hand), str(hand.row.physical_id))[name]
        found = self.show(hand)
        key = {"ObjectCount": "x-container-object-count", "BytesUsed": "x-container-bytes-used"}.get(name)
        return dict(found) if key is None else int(found[key])


def addresses(root: str, container: str) -> dict[str, str]:
    host = root.split("//", 1)[-1].split("/", 1)[0].split(":", 1)[0]
    return {"DomainName": host, "WebsiteURL": f"{root}/{part(container)}", "RootURL": root}


REFUSED = ("PublicReadWrite", "AuthenticatedRead")
"""No access list of a container lets everybody write, or every user of the cloud read."""


class Bucket(Stored):
    """What the S3 of the same store shows as a bucket."""

    name = "AWS::S3::Bucket"
    description = "A bucket of object storage."
    properties = {
        "AccessControl": one_of(
            "A predefined access control list (ACL) that grants permissions on the bucket.",
            *("Private", "PublicRead", "PublicReadWrite", "AuthenticatedRead"),
            *("BucketOwnerRead", "BucketOwnerFullControl"),
            update="in_place",
        ),
        "WebsiteConfiguration": mapping(
            "Information used to configure the bucket as a static website.",
            {
                "IndexDocument": text("The name of the index document."),
                "ErrorDocument": text("The name of the error document."),
            },
            update="in_place",
        ),
        "Tags": listing(
            "Tags to attach to the bucket.",
            {"Key": text("The tag key name.", required=True), "Value": text("The tag value.", required=True)},
            update="in_place",
        ),
    }
    attributes = shown(["DomainName", "WebsiteURL", "show"])

    def named(self, hand: Hand) -> str:
        found = re.sub(r"[^a-z0-9-]", "-", hand.physical_name().lower())[-63:]
        return found.strip("-")

    def headers(self, properties: Mapping[str, Any]) -> dict[str, str]:
        acl, site = properties.get("AccessControl"), properties.get("WebsiteConfiguration") or {}
        found = described(
            "x-container-meta-s3-tag", {str(one["Key"]): one["Value"] for one in properties.get("Tags") or []}
        )
        if acl == "PublicRead":
            found["x-container-read"] = ".r:*"
        for key, name in (("IndexDocument", "index"), ("ErrorDocument", "error")):
            if site.get(key):
                found[f"x-container-meta-web-{name}"] = header(key, site[key])
        return found

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        super().validate(hand, properties)
        if properties.get("AccessControl") in REFUSED:
            raise NotImplementedHere(f"AccessControl: {properties['AccessControl']} is not done; PublicRead is.")

    def attribute(self, hand: Hand, name: str) -> Any:
        if name == "show":
            return dict(self.show(hand))
        return addresses(self.root(hand), str(hand.row.physical_id)).get(name)
