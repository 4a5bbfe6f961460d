"""What strangers tried with S3's API and with bills: others' tags through links, lists and documents that cost too
much, others' use by a token that has no project."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tane.cli.bill import _no_formula
from tane.services.object.api.s3 import access, xml
from tane.services.object.store import versions
from tane.services.object.store.listing import Wanted
from tane.services.object.tables import object_, version
from tests.api.compute_support import project
from tests.api.rating_support import V1, V2, begin_month, pass_, price
from tests.api.s3_support import S3
from tests.api.test_rating import make_volume
from tests.support import ApiCloud, Caller

I = "/identity/v3"  # noqa: E741 (as in the other tests of identity)
TAGS = b"<Tagging><TagSet><Tag><Key>owned</Key><Value>by-thief</Value></Tag></TagSet></Tagging>"


def a_thief(cloud: ApiCloud, admin: Caller) -> Caller:
    made = admin.post(f"{I}/projects", {"project": {"name": "thief", "domain_id": "default"}}, 201).json()["project"]
    user = {"name": "thief", "password": "a password", "domain_id": "default"}
    user_id = admin.post(f"{I}/users", {"user": user}, 201).json()["user"]["id"]
    roles = {role["name"]: role["id"] for role in admin.get(f"{I}/roles").json()["roles"]}
    admin.put(f"{I}/projects/{made['id']}/users/{user_id}/roles/{roles['member']}", expect=204)
    return cloud.login("thief", "a password", "thief")


def test_who_may_write_a_link_writes_no_tags_of_what_it_leads_to(cloud: ApiCloud) -> None:
    garden = project(cloud)
    thief = a_thief(cloud, garden.admin)
    victim, stranger = S3(garden.user), S3(thief)
    victim.put("/shown", x_amz_acl="public-read")
    victim.put("/shown/doc", b"hello", x_amz_tagging="keep=this")
    stranger.put("/own")
    link = {"X-Symlink-Target": "shown/doc", "X-Symlink-Target-Account": f"AUTH_{garden.user.project_id}"}
    path = f"/v1/AUTH_{thief.project_id}/own/link"
    assert thief.request("PUT", path, headers={**link, "Content-Length": "0"}).status_code == 201
    stranger.call("PUT", "/own/link?tagging", TAGS)
    stranger.call("DELETE", "/own/link?tagging")
    kept = victim.get("/shown/doc?tagging", expect=None).text
    assert "keep" in kept and "owned" not in kept


def test_a_version_of_no_possible_time_is_refused(cloud: ApiCloud) -> None:
    owner = S3(project(cloud).user)
    owner.put("/own")
    owner.put("/own/x", b"1")
    assert owner.get("/own/x?versionId=9999999999999999.1", expect=None).status_code in (400, 404)


def test_a_document_is_read_in_one_pass() -> None:
    """The text of an element that has many others in it is put together once."""
    reader = xml._Reader()
    reader.start("a", {})
    for part in ("x", "y"):
        reader.characters(part)
        reader.start("b", {})
        reader.end("b")
    assert reader.root is not None and reader.root.text == ""
    reader.end("a")
    assert reader.root.text == "xy"


def test_a_preflight_names_so_many_headers_at_most(cloud: ApiCloud) -> None:
    owner = S3(project(cloud).user)
    owner.put("/own")
    rule = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"

    def asked(patterns: int, names: int) -> int:
        document = f"<CORSConfiguration><CORSRule>{rule}{'<AllowedHeader>*</AllowedHeader>' * patterns}"
        told = owner.call("PUT", "/own?cors", f"{document}</CORSRule></CORSConfiguration>".encode())
        if told.status_code != 200:
            return told.status_code
        headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
        headers["Access-Control-Request-Headers"] = ",".join(["a"] * names)
        path = f"/s3/own/x?AWSAccessKeyId={owner.access}"
        return owner.caller.api.call("OPTIONS", path, headers=headers).status_code

    assert asked(1, access.MOST_HEADERS) == 200
    assert asked(1, access.MOST_HEADERS + 1) == 403
    assert asked(access.MOST_HEADERS + 1, 1) == 400


class _Counting:
    """A transaction that counts the rows it is given."""

    def __init__(self, tx: Any) -> None:
        self._tx, self.rows = tx, 0

    def all(self, statement: Any) -> list[Any]:
        found: list[Any] = self._tx.all(statement)
        self.rows += len(found)
        return found

    def scalar(self, statement: Any) -> Any:
        return self._tx.scalar(statement)


@pytest.mark.parametrize("seed", range(3))
def test_pages_of_versions_are_the_whole_list_in_parts_and_read_no_more_than_they_show(
    cloud: ApiCloud, seed: int
) -> None:
    from tane.services.object.store import database

    owner, chance = S3(project(cloud).user), random.Random(seed)
    owner.put("/own")
    with database.of(cloud.core).write() as tx:
        container_id = tx.scalar(object_.metadata.tables["container"].select().with_only_columns(_id()))
        for number in range(60):
            table = chance.choice((object_, version, version))
            name = f"{chance.choice('ab')}/{chance.randrange(12)}" if table is version else f"c{number}"
            tx.execute(table.insert().values(**_row(table, container_id, name, number)))
        whole = versions.page(tx, container_id, Wanted(limit=1000), None)
        assert len(whole.found) == 60
        found: list[Any] = []
        marker, after = "", None
        while True:
            counting: Any = _Counting(tx)
            page = versions.page(counting, container_id, Wanted(limit=7, marker=marker), after)
            assert counting.rows <= 7 * 4 + 64
            found += page.found
            if len(page.found) < 7:
                break
            last: Any = page.found[-1]
            marker, after = last.name, f"{last.stamp // 100_000:010d}.{last.stamp % 100_000:05d}"
        assert [(row.name, row.stamp) for row in found] == [(row.name, row.stamp) for row in whole.found]
        assert {name for name, _ in whole.latest} == {row.name for row in whole.found}
        folders = versions.page(tx, container_id, Wanted(limit=1000, delimiter="/"), None)
        assert [one for one in folders.found if isinstance(one, str)] == sorted(
            {f"{row.name[:2]}" for row in whole.found if "/" in row.name}
        )


def _id() -> Any:
    return object_.metadata.tables["container"].c.id


def _row(table: Any, container_id: Any, name: str, number: int) -> dict[str, Any]:
    """Every column that must have a value has one."""
    known = {"container_id": container_id, "name": name, "stamp": 170_000_000_000_000 + number, "kind": "file"}
    found: dict[str, Any] = {}
    for column in table.columns:
        if column.name in known:
            found[column.name] = known[column.name]
        elif not column.nullable and not column.primary_key and column.default is None:
            found[column.name] = {int: 0, str: "", bytes: b"", bool: True}[column.type.python_type]
    return {**found, "versioned": True}


@pytest.mark.parametrize(
    "path",
    [
        f"{V1}/report/total",
        f"{V1}/report/total?all_tenants=true",
        f"{V1}/report/summary?groupby=tenant_id",
        f"{V1}/storage/dataframes",
        f"{V2}/summary",
        f"{V2}/dataframes",
        f"{V2}/bill",
    ],
)
def test_a_token_without_a_project_sees_nobodys_use(cloud: ApiCloud, path: str) -> None:
    begin_month(cloud)
    garden = project(cloud)
    admin = garden.admin
    price(admin, "volume.size", "1")
    make_volume(garden.user, 5)
    cloud.run_jobs()
    pass_(cloud, hours=3)
    domain = admin.post(f"{I}/domains", {"domain": {"name": "elsewhere"}}, 201).json()["domain"]["id"]
    user = {"name": "eve", "password": "a password", "domain_id": domain}
    user_id = admin.post(f"{I}/users", {"user": user}, 201).json()["user"]["id"]
    roles = {role["name"]: role["id"] for role in admin.get(f"{I}/roles").json()["roles"]}
    admin.put(f"{I}/system/users/{user_id}/roles/{roles['reader']}", expect=204)
    for role in ("reader", "admin"):
        admin.put(f"{I}/domains/{domain}/users/{user_id}/roles/{roles[role]}", expect=204)
    for scope in ({"domain": {"id": domain}}, {"system": {"all": True}}):
        identity = {"methods": ["password"], "password": {"user": {"id": user_id, "password": "a password"}}}
        told = cloud.call("POST", f"{I}/auth/tokens", json={"auth": {"identity": identity, "scope": scope}})
        eve = Caller(cloud, told.headers["x-subject-token"], "", user_id)
        assert eve.get(path, 403).status_code == 403, scope
    if "all_tenants" not in path:
        assert garden.user.get(path).status_code == 200


@pytest.mark.parametrize("name", ["=1+1", " =1", "x;=HYPERLINK(1)", "a\t+1", "＝1", "x;|calc", "y,@z"])
def test_no_cell_of_a_bill_is_computed(name: str) -> None:
    assert _no_formula(name) == f"'{name}"
    assert _no_formula("web-1") == "web-1"
