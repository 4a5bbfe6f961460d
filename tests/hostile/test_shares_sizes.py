"""No tenant makes a resource, a list or the database so large that others feel it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tane.config import PerUser
from tane.services.image.domain import images
from tane.web import app, codec
from tests.support import ApiCloud, Caller

V3 = "/identity/v3"
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
LONG = "x" * (60 << 10)


@pytest.fixture
def mia(cloud: ApiCloud) -> Caller:
    return cloud.new_user("mia", "garden")


def image(caller: Caller, **more: Any) -> str:
    body = {"disk_format": "raw", "container_format": "bare", **more}
    made: str = caller.post("/image/v2/images", body, 201).json()["id"]
    return made


def test_properties_of_an_image_are_bounded_together(mia: Caller) -> None:
    mia.post("/image/v2/images", {"one": LONG, "two": LONG}, 413)
    image_id = image(mia, one=LONG)
    path = f"/image/v2/images/{image_id}"
    more = [{"op": "add", "path": "/two", "value": LONG}]
    refused = mia.request("PATCH", path, json=more, headers=PATCH, expect=413)
    assert "The limit has been exceeded on the size of image properties" in refused.text
    assert "two" not in mia.get(path).json()
    other = [{"op": "replace", "path": "/one", "value": "short"}, *more]
    mia.request("PATCH", path, json=other, headers=PATCH, expect=200)


def test_a_page_of_large_images_ends_early_and_the_next_goes_on(mia: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SURE_TO_FIT", 2)
    monkeypatch.setattr(images, "MOST_LISTED_BYTES", 100 << 10)
    made = {image(mia, name=f"large-{number}", note=LONG) for number in range(4)} | {image(mia) for _ in range(3)}
    found, path, pages = [], "/v2/images?limit=1000&owner=" + mia.project_id, 0
    while path:
        answer = mia.get("/image" + path)
        assert len(answer.content) < 150 << 10
        found += [one["id"] for one in answer.json()["images"]]
        path, pages = answer.json().get("next", ""), pages + 1
    assert len(found) == len(set(found)) and set(found) == made
    assert pages >= 3


def test_an_image_larger_than_a_page_is_one(mia: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SURE_TO_FIT", 0)
    monkeypatch.setattr(images, "MOST_LISTED_BYTES", 10)
    made = {image(mia, note=LONG) for _ in range(2)}
    first = mia.get(f"/image/v2/images?owner={mia.project_id}").json()
    second = mia.get("/image" + first["next"]).json()
    assert {first["images"][0]["id"], second["images"][0]["id"]} == made


def test_a_volumes_metadata_is_bounded_over_many_calls(mia: Caller) -> None:
    base = f"/volume/v3/{mia.project_id}"
    volume = mia.post(f"{base}/volumes", {"volume": {"size": 1}}, 202).json()["volume"]["id"]
    codes = []
    for number in range(5):
        metadata = {f"{number}-{key}": "v" * 255 for key in range(80)}
        codes.append(mia.post(f"{base}/volumes/{volume}/metadata", {"metadata": metadata}).status_code)
    assert codes == [200, 200, 200, 400, 400]


def credential(caller: Caller, blob: str = "secret", **more: Any) -> dict[str, Any]:
    return {"credential": {"type": "cert", "blob": blob, "user_id": caller.user_id, **more}}


def test_a_credential_is_bounded(mia: Caller) -> None:
    mia.post(f"{V3}/credentials", credential(mia, "x" * (65 << 10)), 400)
    mia.post(f"{V3}/credentials", credential(mia, note="x" * (65 << 10)), 400)
    made = mia.post(f"{V3}/credentials", credential(mia, LONG, note=LONG), 201).json()["credential"]
    path = f"{V3}/credentials/{made['id']}"
    mia.patch(path, {"credential": {"blob": "x" * (65 << 10)}}, 400)
    # Attributes nobody knows are kept: not without end.
    mia.patch(path, {"credential": {"another": LONG}}, 400)
    assert mia.get(path).json()["credential"]["blob"] == LONG


ADMIN_MADE: list[tuple[str, dict[str, Any]]] = [
    ("project", {"name": "p"}),
    ("domain", {"name": "d"}),
    ("user", {"name": "u"}),
    ("group", {"name": "g"}),
    ("role", {"name": "r"}),
    ("region", {"id": "r"}),
    ("service", {"type": "t", "name": "s"}),
    ("policy", {"blob": "b", "type": "t"}),
]


@pytest.mark.parametrize(("kind", "values"), ADMIN_MADE, ids=[kind for kind, _ in ADMIN_MADE])
def test_what_identity_keeps_of_a_resource_is_bounded(cloud: ApiCloud, kind: str, values: dict[str, Any]) -> None:
    admin = cloud.admin
    collection = f"{V3}/{kind.removesuffix('y')}ies" if kind == "policy" else f"{V3}/{kind}s"
    too_long = "x" * (65 << 10)
    admin.post(collection, {kind: values | {"description": too_long}}, 400)
    made = admin.post(collection, {kind: values | {"description": "short"}}, 201).json()[kind]
    path = f"{collection}/{made['id']}"
    admin.patch(path, {kind: {"description": too_long}}, 400)
    for number in range(2):
        admin.patch(path, {kind: {f"unknown{number}": LONG}})
    assert len(admin.get(path).content) < 130 << 10


def app_credential(caller: Caller) -> Callable[[int], tuple[str, Any]]:
    path = f"{V3}/users/{caller.user_id}/application_credentials"
    return lambda number: (path, {"application_credential": {"name": f"robot {number}"}})


def trust(caller: Caller) -> Callable[[int], tuple[str, Any]]:
    body = {
        "trustor_user_id": caller.user_id,
        "trustee_user_id": caller.user_id,
        "project_id": caller.project_id,
        "impersonation": False,
        "roles": [{"name": "member"}],
    }
    return lambda number: (f"{V3}/OS-TRUST/trusts", {"trust": body})


def ec2(caller: Caller) -> Callable[[int], tuple[str, Any]]:
    path = f"{V3}/users/{caller.user_id}/credentials/OS-EC2"
    return lambda number: (path, {"tenant_id": caller.project_id})


GROWING: dict[str, tuple[str, str, Callable[[Caller], Callable[[int], tuple[str, Any]]]]] = {
    "credential": (
        "credential",
        "credentials",
        lambda caller: lambda number: (f"{V3}/credentials", credential(caller)),
    ),
    "ec2 credential": ("credential", "credentials", ec2),
    "application credential": ("application_credential", "application credentials", app_credential),
    "trust": ("trust", "trusts", trust),
}


@pytest.mark.parametrize("kind", GROWING)
def test_a_user_has_only_so_many_of_each(cloud: ApiCloud, mia: Caller, kind: str) -> None:
    setting, words, call_of = GROWING[kind]
    assert 0 < getattr(cloud.core.config, setting).user_limit <= 1000
    setattr(cloud.core.config, setting, PerUser(user_limit=3))
    call = call_of(mia)
    for number in range(3):
        mia.post(*call(number), 201)
    refused = mia.post(*call(3), 403)
    told = refused.json()["error"]["message"]
    assert told == f"Unable to create additional {words}, maximum of 3 already exceeded for user."
    # Another user has a limit of his own; without one there is none.
    tom = cloud.new_user("tom", "garden")
    tom.post(*call_of(tom)(0), 201)
    setattr(cloud.core.config, setting, PerUser(user_limit=-1))
    mia.post(*call(4), 201)


def test_a_users_access_rules_are_counted_over_all_credentials(cloud: ApiCloud, mia: Caller) -> None:
    cloud.core.config.access_rule = PerUser(user_limit=3)
    path = f"{V3}/users/{mia.user_id}/application_credentials"

    def body(name: str, count: int) -> dict[str, Any]:
        rules = [{"service": "image", "method": "GET", "path": f"/v2/{name}/{number}"} for number in range(count)]
        return {"application_credential": {"name": name, "access_rules": rules}}

    made = mia.post(path, body("one", 2), 201).json()["application_credential"]
    mia.delete(f"{path}/{made['id']}")
    refused = mia.post(path, body("two", 2), 403)
    assert "maximum of 3 already exceeded" in refused.text
    mia.post(path, body("three", 1), 201)


def test_answers_are_encoded_off_the_event_loop(cloud: ApiCloud, mia: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    where: list[str] = []

    def encode(value: Any) -> bytes:
        where.append(threading.current_thread().name)
        return msgspec.json.encode(value)

    monkeypatch.setattr(codec, "encode", encode)
    assert app.codec is codec
    mia.get("/image/v2/images")
    assert where
    assert all(name.startswith("tane") for name in where)
