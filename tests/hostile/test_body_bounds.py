"""How much one request may bring: every list, dictionary and text of every body has a bound in its schema.

What has none stands here with the reason why it needs none: a new field that takes as much as is sent fails.
"""

from __future__ import annotations

import re._parser as patterns
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from msgspec import inspect

from tane.app import SERVICES
from tests.api.identity_support import count_queries
from tests.api.network_support import V2, Net
from tests.support import ApiCloud

LOGIN = "of a login or a signature that is asked for: compared and not kept, and strangers' bodies have 112 KiB"
IN_CINDERS_WORDS = "255 characters each and 64 KiB together, told in Cinder's words by the domain"
SAMPLES = "samples, resources and conditions have budgets of their own, paid before the work (metric's README)"
DOCUMENT = (
    "a template or environment: what a project's stacks may keep bounds it, and what may be evaluated in a request"
)

LOGINS = (
    *("AppCredentialMethod", "DomainRef", "ProjectRef", "ScopeIn", "SignedCallIn", "TokenMethod", "TrustRef"),
    *("UserNamed", "UserRef", "UserWithPasscode", "PasswordChangeIn"),
)
EXCEPTIONS: dict[str, str] = {
    **{f"identity.{struct}.": LOGIN for struct in LOGINS},
    **{
        f"volume.{place}": IN_CINDERS_WORDS
        for place in (
            *("VolumeIn.metadata", "Change.metadata", "MetadataBody.metadata", "MetaBody.meta", "SnapshotIn.metadata"),
            *("SetImageMetadata.metadata", "BackupIn.metadata", "BackupChange.metadata", "TypeIn.extra_specs"),
            *("ExtraSpecs.extra_specs", "GroupTypeIn.group_specs", "GroupSpecs.group_specs", "QosSpecs.qos_specs"),
        )
    },
    "volume.BackupRecord.backup_url": "a record that is unpacked field by field, and kept as these",
    "metric.Free.value": SAMPLES,
    "metric.Samples.value": SAMPLES,
    "metric.Condition.value": SAMPLES,
    **{
        f"orchestration.{struct}.{name}": DOCUMENT
        for struct in ("Template", "Stack", "StackUpdate")
        for name in ("template", "environment")
    },
    **{f"orchestration.{struct}.adopt_stack_data": DOCUMENT for struct in ("Stack", "StackUpdate")},
}
"""The beginnings of places, and why another bound holds there."""


@dataclass(frozen=True)
class Place:
    """Something in a body that can be long. ``name``: with ``[]`` behind it what it holds, with ``{}`` its keys."""

    service: str
    struct: str
    name: str
    kind: inspect.Type

    def __str__(self) -> str:
        return f"{self.service}.{self.struct}.{self.name}"

    @property
    def bounded(self) -> bool:
        if isinstance(self.kind, inspect.StrType) and self.kind.pattern is not None and self.kind.max_length is None:
            return int(patterns.parse(self.kind.pattern).getwidth()[1]) < patterns.MAXREPEAT  # type: ignore[call-overload]
        return getattr(self.kind, "max_length", None) is not None


Counter = Callable[[Callable[[], object]], int]


@pytest.fixture
def count(cloud: ApiCloud) -> Counter:
    """How many statements something takes."""

    def counted(what: Callable[[], object]) -> int:
        statements = count_queries(cloud)
        what()
        return len(statements)

    return counted


LISTS = (inspect.ListType, inspect.SetType, inspect.FrozenSetType, inspect.VarTupleType)


def places() -> list[Place]:
    """Of the bodies of all routes, each struct once."""
    seen: set[tuple[str, type]] = set()
    found: list[Place] = []

    def look(place: Place) -> None:
        kind, service, struct, name = place.kind, place.service, place.struct, place.name
        if isinstance(kind, inspect.Metadata):
            look(Place(service, struct, name, kind.type))
        elif isinstance(kind, inspect.UnionType):
            for one in kind.types:
                look(Place(service, struct, name, one))
        elif isinstance(kind, inspect.StructType):
            if (service, kind.cls) not in seen:
                seen.add((service, kind.cls))
                for field in kind.fields:
                    look(Place(service, kind.cls.__name__, field.encode_name, field.type))
        elif isinstance(kind, LISTS):
            found.append(place)
            look(Place(service, struct, f"{name}[]", kind.item_type))
        elif isinstance(kind, inspect.DictType):
            found.append(place)
            look(Place(service, struct, f"{name}{{}}", kind.key_type))
            look(Place(service, struct, f"{name}[]", kind.value_type))
        elif isinstance(kind, inspect.StrType):
            found.append(place)

    for service in SERVICES:
        for body in dict.fromkeys(route.body for route in service.routes if route.body is not None):
            look(Place(service.name, body.__name__, "", inspect.type_info(body)))
    return found


PLACES = places()


def unbounded() -> Iterator[Place]:
    return (place for place in PLACES if not place.bounded)


def test_every_list_and_text_of_a_body_has_a_bound() -> None:
    assert len(PLACES) > 500
    assert [str(place) for place in unbounded() if not str(place).startswith(tuple(EXCEPTIONS))] == []


def test_an_exception_is_one() -> None:
    without = [str(place) for place in unbounded()]
    assert [beginning for beginning in EXCEPTIONS if not any(place.startswith(beginning) for place in without)] == []


ME = "/identity/v3/users/{user}/application_credentials"
MANY = [{"name": "member"}] * 1001


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (ME, {"application_credential": {"name": "a", "roles": MANY}}, "credential.roles"),
        (
            ME,
            {"application_credential": {"name": "a", "access_rules": [{}] * 101}},
            "credential.access_rules",
        ),
        (
            "/compute/v2.1/servers",
            {"server": {"security_groups": MANY, "name": "a", "flavorRef": "1"}},
            "security_groups",
        ),
        (f"{V2}/floatingips", {"floatingips": [{"floating_network_id": "x"}] * 1001}, "floatingips"),
        (f"{V2}/subnets", {"subnets": [{"network_id": "x", "cidr": "10.0.0.0/24"}] * 1001}, "subnets"),
    ],
)
def test_more_is_refused_with_the_name_of_the_field(cloud: ApiCloud, path: str, body: object, field: str) -> None:
    mia = cloud.new_user("mia", "garden")
    answer = mia.post(path.format(user=mia.user_id), body, 400)
    assert field in answer.text and "length <= 1" in answer.text


def test_a_patch_of_an_image_has_so_many_operations(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = mia.post("/image/v2/images", {"name": "a", "disk_format": "raw", "container_format": "bare"}, 201).json()
    again = [{"op": "replace", "path": "/name", "value": "b"}] * 1001
    media = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    answer = mia.patch(f"/image/v2/images/{image['id']}", again, 400, headers=media)
    assert "more than 1000 operation objects" in answer.text


def test_a_password_of_a_server_is_no_book(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    body = {"server": {"name": "a", "flavorRef": "1", "adminPass": "a" * 1025}}
    assert "server.adminPass" in mia.post("/compute/v2.1/servers", body, 400).text


def test_roles_are_looked_up_together(cloud: ApiCloud, count: Counter) -> None:
    """However many a credential or a trust names."""
    mia, lea = cloud.new_user("mia", "garden"), cloud.new_user("lea", "other")
    path, trusts = ME.format(user=mia.user_id), "/identity/v3/OS-TRUST/trusts"

    def credential(name: str, number: int) -> int:
        rules = [{"service": "compute", "path": f"/{name}{n}", "method": "GET"} for n in range(number)]
        body = {"name": name, "roles": [{"name": "member"}] * number, "access_rules": rules}
        return count(lambda: mia.post(path, {"application_credential": body}, 201))

    def trust(number: int) -> int:
        body = {
            "trustor_user_id": mia.user_id,
            "trustee_user_id": lea.user_id,
            "project_id": mia.project_id,
            "impersonation": False,
            "roles": [{"name": "member"}] * number,
        }
        return count(lambda: mia.post(trusts, {"trust": body}, 201))

    credential("first", 1), trust(1)
    assert credential("few", 2) == credential("many", 90)
    assert trust(2) == trust(90)


@pytest.mark.parametrize(
    ("single", "most", "values"),
    [
        ("network", 100, {}),
        ("router", 10, {}),
        ("security_group", 10, {}),
        ("subnetpool", 100, {"name": "p", "prefixes": ["10.0.0.0/16"]}),
        ("subnet", 100, {"ip_version": 4}),
        ("floatingip", 50, {}),
    ],
)
def test_room_is_asked_for_all_before_one_is_made(
    cloud: ApiCloud, count: Counter, single: str, most: int, values: dict[str, object]
) -> None:
    mia = Net(cloud.new_user("mia", "garden"))
    bodies = [dict(values) for _ in range(most + 1)]
    if single == "subnet":
        network = mia.make("network", name="lan")["id"]
        bodies = [{**one, "network_id": network, "cidr": f"10.1.{n}.0/24"} for n, one in enumerate(bodies)]
    if single == "floatingip":
        outside = Net(cloud.admin).make("network", name="outside", **{"router:external": True})["id"]
        bodies = [{**one, "floating_network_id": outside} for one in bodies]
    path = f"{V2}/{single.replace('_', '-')}s"
    mia.who.post(path, {f"{single}s": bodies}, 409)
    asked = count(lambda: mia.who.post(path, {f"{single}s": bodies}, 409))
    assert asked < 12, asked
