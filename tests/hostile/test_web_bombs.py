"""Bodies, queries and paths that are small to send and would be dear to read."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tane.app import SERVICES
from tane.web.routes import Route, Service
from tests.hostile.schemas import example, fields
from tests.support import ApiCloud, Caller

JSON = {"Content-Type": "application/json"}
DEPTHS = (65, 100, 500, 900, 990, 1100, 20_000)
NO_ID = "00000000-0000-0000-0000-000000000000"


def _nested(depth: int, inner: str) -> dict[str, str]:
    return {
        "lists": "[" * depth + inner + "]" * depth,
        "objects": '{"a":' * depth + inner + "}" * depth,
        "open lists": "[" * depth,
        "open objects": '{"a":' * depth,
    }


def _post(caller: Caller, path: str, content: str | bytes) -> int:
    began = time.process_time()
    answer = caller.request("POST", path, content=content, headers=JSON)
    assert time.process_time() - began < 5
    assert answer.status_code < 500, answer.text
    return answer.status_code


@pytest.fixture
def mia(cloud: ApiCloud) -> Caller:
    return cloud.new_user("mia", "garden")


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_body_that_is_nested_deeply_is_refused(cloud: ApiCloud, mia: Caller, depth: int) -> None:
    """Also where any value is kept: attributes of a user, metadata, properties of an image's schema."""
    for inner in ("1", '"\\u0000"', '"x"'):
        for text in _nested(depth, inner).values():
            assert _post(mia, "/compute/v2.1/servers", text) == 400
            assert _post(mia, "/compute/v2.1/servers", '{"server": ' + text + "}") == 400
            for path, body in (
                ("/identity/v3/users", '{"user": {"name": "x", "deep": %s}}'),
                ("/identity/v3/projects", '{"project": {"name": "x", "deep": %s}}'),
                ("/identity/v3/policies", '{"policy": {"type": "x", "blob": "x", "deep": %s}}'),
                ("/image/v2/images", '{"name": "x", "deep": %s}'),
                ("/network/v2.0/ports", '{"port": {"network_id": "x", "binding:profile": {"a": %s}}}'),
                (f"/volume/v3/{cloud.admin.project_id}/attachments", '{"attachment": {"connector": {"a": %s}}}'),
            ):
                assert 400 <= _post(cloud.admin, path, body % text) < 500, path


@pytest.mark.parametrize(
    "text",
    [
        "1" * 10_000,
        "-" + "9" * 400_000,
        "1e999999",
        "1E-999999999999",
        "0." + "1" * 500_000,
        "9223372036854775808",
        "170141183460469231731687303715884105728",
        "NaN",
        "Infinity",
    ],
    ids=lambda text: text[:20],
)
def test_a_number_that_is_no_number_of_ours_is_refused(cloud: ApiCloud, mia: Caller, text: str) -> None:
    for caller, path, body in (
        (mia, f"/volume/v3/{mia.project_id}/volumes", '{"volume": {"size": %s}}'),
        (mia, "/network/v2.0/security-group-rules", '{"security_group_rule": {"port_range_min": %s}}'),
        (cloud.admin, "/compute/v2.1/flavors", '{"flavor": {"name": "x", "ram": %s, "vcpus": 1, "disk": 1}}'),
        (cloud.admin, "/compute/v2.1/flavors", '{"flavor": {"name": "x", "ram": 1, "vcpus": %s, "disk": 1}}'),
    ):
        assert 400 <= _post(caller, path, body % text) < 500, path


def test_a_body_of_very_many_keys_costs_little(mia: Caller) -> None:
    many = ",".join(f'"k{number}":"v"' for number in range(70_000))
    for body in (f"{{{many}}}", f'{{"server": {{{many}}}}}', f'{{"server": {{"name": "s", "metadata": {{{many}}}}}}}'):
        assert 400 <= _post(mia, "/compute/v2.1/servers", body) < 500
    same = ",".join('"name":"x"' for _ in range(80_000))
    assert 400 <= _post(mia, "/compute/v2.1/servers", f'{{"server": {{{same}}}}}') < 500


def test_a_body_larger_than_the_limit_is_refused_unread(mia: Caller) -> None:
    assert _post(mia, "/compute/v2.1/servers", b" " * (1 << 20) + b"{}") == 413


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\udfff\\ud800"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf{}"])
def test_text_that_is_no_text_is_refused(cloud: ApiCloud, mia: Caller, text: str | bytes) -> None:
    raw = text if isinstance(text, bytes) else text.encode()
    for path, body in (
        ("/network/v2.0/networks", b'{"network": {"name": %s}}'),
        ("/identity/v3/projects", b'{"project": {"name": %s}}'),
        ("/identity/v3/projects", b'{"project": {"name": "x", %s: "x"}}'),
    ):
        assert 400 <= _post(cloud.admin, path, body % raw) < 500, path


LISTS = [
    (service, route)
    for service in SERVICES
    for route in service.routes
    if route.method == "GET" and route.policy is not None and not route.path.endswith("}")
]


def _address(service: Service, route: Route, caller: Caller, filler: str = NO_ID) -> str:
    path = service.prefix + route.path
    if service.name == "volume":
        path = path.replace("{project_id}", caller.project_id)
    return re.sub(r"{[^}]*}", filler, path)


WRONG_PAGES = ("1000000000", "999999999999999999", "9" * 40, "-1", "1e9", "0x10", "1%0A", "%00", "٣", "")


PAGING = ("limit", "offset", "marker", "sort_key", "sort_dir", "sort", "fields", "changes-since")


# A step that divides neither the number of names nor of values meets every pair of both.
@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.nightly)])
def test_no_list_is_longer_or_breaks_for_what_its_limit_says(cloud: ApiCloud, every: int) -> None:
    admin = cloud.admin
    asked = [(service, route, name, value) for service, route in LISTS for name in PAGING for value in WRONG_PAGES]
    for service, route, name, value in asked[::every]:
        answer = admin.get(f"{_address(service, route, admin)}?{name}={value}", expect=None)
        assert answer.status_code < 500 or answer.status_code == 501, (route.path, name, value, answer.text)


def test_a_query_of_very_many_parameters_is_refused(cloud: ApiCloud, mia: Caller) -> None:
    for path in (
        "/compute/v2.1/servers",
        "/network/v2.0/ports",
        "/image/v2/images",
        f"/volume/v3/{mia.project_id}/volumes",
    ):
        for query in (
            "&".join(f"a{n}=1" for n in range(3000)),
            "&".join("name=x" for _ in range(3000)),
            "&" * 3000 + "a=1",
        ):
            began = time.process_time()
            answer = mia.get(f"{path}?{query}", expect=None)
            assert time.process_time() - began < 5
            assert answer.status_code in (200, 400), answer.text
        assert mia.get(f"{path}?" + "&".join(f"name=x{n}" for n in range(3000)), expect=None).status_code == 400


TRAVERSALS = (
    "..",
    "%2e%2e",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%252f..%252fetc%252fpasswd",
    "%2fetc%2fpasswd",
    "..%5c..%5cetc%5cpasswd",
    "x%00.qcow2",
    "x%0d%0aX-Evil:%20y",
    "%ff%fe",
    "%e2%80%a8",
    "x;ls",
    "x'--",
    "%25s%25n",
    "a" * 4000,
)


@pytest.mark.parametrize("filler", TRAVERSALS)
def test_a_path_leads_nowhere_but_to_what_is_there(cloud: ApiCloud, filler: str) -> None:
    """Every call with a field in its path, as administrator: nobody else gets further."""
    admin = cloud.admin
    for service in SERVICES:
        for route in service.routes:
            if route.policy is None or "{" not in route.path.replace("{project_id}", "", service.name == "volume"):
                continue
            body: Any = {route.action or "x": {}}
            address = _address(service, route, admin, filler)
            answer = admin.request(route.method, address, json=None if route.method == "GET" else body)
            assert answer.status_code < 500 or answer.status_code == 501, (route.method, route.path, answer.text)
            assert "root:" not in answer.text
            assert "x-evil" not in answer.headers


DEAR = (
    "(a+)+$",
    "(a|a)*$",
    "(a|aa)+$",
    "(a*)*b",
    "(?:a?){30}a{30}",
    "a?" * 60 + "a" * 60,
    "(.*a){20}",
    "a*a*a*a*a*b",
    "(a+){2,}$",
    "((a{1,5}){1,5}){1,5}",
    "(a)\\1",
    "a{1000}",
    "(?=(a+))\\1b",
    "(" * 200,
    "(((((" * 40 + "a" + ")))))" * 40 + "+",
    "[",
    "a" * 300,
)


@pytest.mark.parametrize("text", DEAR, ids=lambda text: text[:20])
@pytest.mark.parametrize("name", ["name", "ip", "ip6"])
def test_a_regular_expression_that_could_take_long_is_refused(mia: Caller, name: str, text: str) -> None:
    """A tenant may give its server a name of 255 letters."""
    mia.request("GET", "/compute/v2.1/servers", params={name: text}, expect=400)


TAKEN = (
    "^web-[0-9]+$",
    "web",
    "web.*front",
    "^(web|db)-1$",
    "a.b.c",
    r"10\.0\.[0-9]{1,3}\.[0-9]{1,3}",
    "w?eb{1,3}",
    "",
)


@pytest.mark.parametrize("text", TAKEN)
def test_the_regular_expressions_that_people_write_are_taken(mia: Caller, text: str) -> None:
    assert mia.request("GET", "/compute/v2.1/servers", params={"name": text}, expect=200).json() == {"servers": []}


def test_filters_of_very_many_values_are_refused(mia: Caller) -> None:
    many = ",".join(f"t{number}" for number in range(3000))
    metadata = "{" + ",".join(f'"k{number}":"v"' for number in range(1500)) + "}"
    for path, query in (
        ("/compute/v2.1/servers", {"tags": many}),
        ("/compute/v2.1/servers", {"tags-any": many}),
        ("/compute/v2.1/servers", {"not-tags": many}),
        ("/compute/v2.1/servers", {"metadata": metadata}),
        ("/network/v2.0/networks", {"tags": many}),
        ("/network/v2.0/networks", {"not-tags-any": many}),
        (f"/volume/v3/{mia.project_id}/volumes", {"metadata": metadata}),
        ("/identity/v3/projects", {"tags": many}),
    ):
        answer = mia.request("GET", path, params=query, headers={"OpenStack-API-Version": "compute 2.26"})
        assert answer.status_code in (200, 400, 403), (path, list(query), answer.text)


PATTERNS = sorted({field.pattern for field in fields() if field.pattern})


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_takes_long_over_long_text(pattern: str) -> None:
    text = example(pattern)
    for part in (text, text[:1], "a", "0", " ", "-", ".", "a.", "a-", "/", ":", "a "):
        for tail in ("", "\n", "!", " ", "\0"):
            long = (text + part * 20_000)[:20_000] + tail
            began = time.process_time()
            re.search(pattern, long)
            assert time.process_time() - began < 0.2, (pattern, part, tail)


@pytest.mark.parametrize(
    "path",
    [
        "/compute/v2.1/servers?changes-since={}",
        "/compute/v2.1/servers?changes-before={}",
        "/compute/v2.1/os-simple-tenant-usage?start={}",
        "/image/v2/images?created_at=gt:{}",
        "/volume/v3/volumes?created_at=gt:{}",
        "/network/v2.0/networks?changed_since={}",
        "/identity/v3/users?password_expires_at=gt:{}",
    ],
)
@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none_in_utc_breaks_nothing(cloud: ApiCloud, path: str, moment: str) -> None:
    answer = cloud.admin.get(
        path.format(moment.replace("+", "%2B")), None, headers={"OpenStack-API-Version": "compute 2.66"}
    )
    assert answer.status_code < 500, answer.text
