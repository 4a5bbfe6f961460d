"""Metadata definitions: what an administrator describes and every project reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tane.cli import metadefs
from tane.cli.client import CallError
from tests.support import ApiCloud, Caller

URL = "/image/v2/metadefs/namespaces"
PROPERTY = {"title": "Action", "type": "string", "enum": ["reset", "pause"], "description": "What to do"}


def create(caller: Caller, name: str, expect: int = 201, **values: Any) -> dict[str, Any]:
    found: dict[str, Any] = caller.post(URL, {"namespace": name, **values}, expect).json()
    return found


def test_a_namespace_is_created_with_all_it_holds_and_read_by_everyone(cloud: ApiCloud) -> None:
    admin, rita = cloud.admin, cloud.new_user("rita", "garden", role="reader")
    made = create(
        admin,
        "OS::Compute::Watchdog",
        display_name="Watchdog",
        description="d",
        visibility="public",
        protected=True,
        resource_type_associations=[{"name": "OS::Glance::Image", "prefix": "hw_"}, {"name": "OS::Nova::Flavor"}],
        properties={"action": PROPERTY},
        objects=[{"name": "cpu", "required": ["n"], "properties": {"n": {"title": "N", "type": "integer"}}}],
        tags=[{"name": "linux"}],
    )
    assert made["owner"] == admin.project_id and made["self"] == f"{URL.removeprefix('/image')}/OS::Compute::Watchdog"
    shown = rita.get(f"{URL}/OS::Compute::Watchdog").json()
    assert shown["properties"] == {"action": PROPERTY} and shown["tags"] == [{"name": "linux"}]
    assert [one["name"] for one in shown["resource_type_associations"]] == ["OS::Glance::Image", "OS::Nova::Flavor"]
    assert shown["objects"][0]["required"] == ["n"] and "n" in shown["objects"][0]["properties"]
    prefixed = rita.get(f"{URL}/OS::Compute::Watchdog?resource_type=OS::Glance::Image").json()
    assert list(prefixed["properties"]) == ["hw_action"] and prefixed["objects"][0]["required"] == ["hw_n"]
    [listed] = rita.get(f"{URL}?resource_types=OS::Nova::Flavor").json()["namespaces"]
    assert listed["namespace"] == "OS::Compute::Watchdog" and "properties" not in listed
    assert rita.get(f"{URL}?resource_types=OS::Cinder::Volume").json()["namespaces"] == []
    create(admin, "OS::Compute::Watchdog", 409)


def test_a_private_namespace_is_its_owners_alone(cloud: ApiCloud) -> None:
    admin, mia, leo = cloud.admin, cloud.new_user("mia", "garden"), cloud.new_user("leo", "forest")
    create(admin, "secret", owner=mia.project_id)
    assert mia.get(f"{URL}/secret").json()["visibility"] == "private"
    for path in ("", "/objects", "/properties", "/tags", "/resource_types"):
        mia.get(f"{URL}/secret{path}")
        leo.get(f"{URL}/secret{path}", 404)
    assert leo.get(URL).json()["namespaces"] == [] and len(mia.get(URL).json()["namespaces"]) == 1
    assert len(admin.get(f"{URL}?visibility=private").json()["namespaces"]) == 1
    assert admin.get(f"{URL}?visibility=public").json()["namespaces"] == []


def test_only_an_administrator_writes(cloud: ApiCloud) -> None:
    admin, mia = cloud.admin, cloud.new_user("mia", "garden")
    create(mia, "mine", 403)
    create(admin, "open", visibility="public", owner=mia.project_id)
    mia.put(f"{URL}/open", {"namespace": "open"}, 403)
    mia.delete(f"{URL}/open", 403)
    mia.post(f"{URL}/open/tags/x", None, 403)
    mia.post(f"{URL}/open/properties", {"name": "p", **PROPERTY}, 403)


def test_what_a_protected_namespace_holds_is_not_deleted(cloud: ApiCloud) -> None:
    admin = cloud.admin
    create(admin, "kept", protected=True, tags=[{"name": "t"}], properties={"p": PROPERTY}, objects=[{"name": "o"}])
    admin.post(f"{URL}/kept/resource_types", {"name": "OS::Nova::Server"}, 201)
    for path in (
        "",
        "/tags",
        "/tags/t",
        "/properties",
        "/properties/p",
        "/objects/o",
        "/resource_types/OS::Nova::Server",
    ):
        assert "is protected and cannot be deleted" in admin.delete(f"{URL}/kept{path}", 403).json()["message"]
    changed = admin.put(f"{URL}/kept", {"namespace": "renamed", "protected": False}, 200).json()
    assert changed["namespace"] == "renamed" and changed["visibility"] == "private"
    admin.delete(f"{URL}/renamed/tags/t")
    admin.delete(f"{URL}/renamed")
    admin.get(f"{URL}/renamed", 404)
    admin.delete(f"{URL}/renamed", 404)


def test_objects_are_created_changed_and_deleted(cloud: ApiCloud) -> None:
    admin = cloud.admin
    create(admin, "space")
    where = f"{URL}/space/objects"
    made = admin.post(where, {"name": "cpu", "description": "d", "properties": {"n": PROPERTY}}, 201).json()
    assert made["self"] == "/v2/metadefs/namespaces/space/objects/cpu" and made["required"] == []
    admin.post(where, {"name": "cpu"}, 409)
    admin.post(where, {"name": "bad", "properties": {"n": {"type": "string"}}}, 400)
    admin.post(where, {"name": "bad", "self": "x"}, 403)
    admin.post(where, {"description": "nameless"}, 400)
    assert admin.put(f"{where}/cpu", {"name": "core"}, 200).json()["name"] == "core"
    admin.get(f"{where}/cpu", 404)
    assert [one["name"] for one in admin.get(where).json()["objects"]] == ["core"]
    admin.delete(where)
    assert admin.get(where).json()["objects"] == []


def test_properties_are_created_changed_and_deleted(cloud: ApiCloud) -> None:
    admin = cloud.admin
    create(admin, "space", resource_type_associations=[{"name": "OS::Glance::Image", "prefix": "hw_"}])
    where = f"{URL}/space/properties"
    assert admin.post(where, {"name": "action", **PROPERTY}, 201).json() == {"name": "action", **PROPERTY}
    admin.post(where, {"name": "action", **PROPERTY}, 409)
    admin.post(where, PROPERTY, 400)
    admin.post(where, {"name": "x", "title": "X", "type": "colour"}, 400)
    shown = admin.get(f"{where}/hw_action?resource_type=OS::Glance::Image").json()
    assert shown["name"] == "hw_action"
    admin.get(f"{where}/action?resource_type=OS::Glance::Image", 404)
    renamed = {**PROPERTY, "name": "other", "title": "Other"}
    assert admin.put(f"{where}/action", renamed, 200).json()["title"] == "Other"
    assert list(admin.get(where).json()["properties"]) == ["other"]
    admin.delete(f"{where}/other")
    admin.delete(f"{where}/other", 404)


def test_tags_are_set_together_or_one_by_one(cloud: ApiCloud) -> None:
    admin = cloud.admin
    create(admin, "space")
    where = f"{URL}/space/tags"
    admin.post(where, {"tags": [{"name": "a"}, {"name": "b"}]}, 201)
    admin.post(where, {"tags": [{"name": "c"}]}, 201)
    assert admin.get(where).json()["tags"] == [{"name": "c"}]
    admin.post(where, {"tags": [{"name": "d"}]}, 201, headers={"X-Openstack-Append": "True"})
    admin.post(f"{where}/e", None, 201)
    admin.post(f"{where}/e", None, 409)
    assert admin.put(f"{where}/e", {"name": "f"}, 200).json()["name"] == "f"
    assert [tag["name"] for tag in admin.get(where).json()["tags"]] == ["c", "d", "f"]
    assert set(admin.get(f"{where}/f").json()) == {"name", "created_at", "updated_at"}
    admin.delete(where)
    admin.get(f"{where}/f", 404)


def test_resource_types_are_known_from_the_start_and_grow(cloud: ApiCloud) -> None:
    admin, rita = cloud.admin, cloud.new_user("rita", "garden", role="reader")
    kinds = "/image/v2/metadefs/resource_types"
    assert "OS::Glance::Image" in {kind["name"] for kind in rita.get(kinds).json()["resource_types"]}
    create(admin, "space")
    made = admin.post(f"{URL}/space/resource_types", {"name": "My::Thing", "prefix": "my:"}, 201).json()
    assert made["prefix"] == "my:" and "properties_target" not in made
    admin.post(f"{URL}/space/resource_types", {"name": "My::Thing"}, 409)
    assert "My::Thing" in {kind["name"] for kind in rita.get(kinds).json()["resource_types"]}
    admin.delete(f"{URL}/space/resource_types/My::Thing")
    admin.delete(f"{URL}/space/resource_types/My::Thing", 404)


def test_namespaces_come_in_pages(cloud: ApiCloud) -> None:
    admin = cloud.admin
    for number in range(5):
        create(admin, f"space{number}", visibility="public")
    seen, link = [], "/v2/metadefs/namespaces?limit=2&sort_key=namespace&sort_dir=asc"
    while link:
        page = admin.get(f"/image{link}").json()
        seen += [one["namespace"] for one in page["namespaces"]]
        link = page.get("next", "")
    assert seen == [f"space{number}" for number in range(5)]
    for bad in ("visibility=odd", "sort_dir=up", "sort_key=colour", "limit=x"):
        admin.get(f"{URL}?{bad}", 400)
    admin.get(f"{URL}?marker=absent", 404)


def test_the_schemas_are_published(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    single = {"namespace": "namespace", "object": "object", "property": "property", "tag": "tag"}
    many = {name: name for name in ("namespaces", "objects", "properties", "tags")}
    kinds = {"resource_type": "resource_type_association", "resource_types": "resource_type_associations"}
    for name, told in (single | many | kinds).items():
        assert mia.get(f"/image/v2/schemas/metadefs/{name}").json()["name"] == told
    mia.get("/image/v2/schemas/metadefs/absent", 404)


def test_the_catalogue_is_loaded_from_a_folder_once(cloud: ApiCloud, tmp_path: Path) -> None:
    """The command's client speaks over a socket; here it calls the application."""
    admin = cloud.admin
    file = tmp_path / "watchdog.json"
    file.write_text(
        '{"namespace": "OS::X", "visibility": "public", "properties": {"a": {"title": "A", "type": "string"}}}'
    )
    broken = tmp_path / "zz.json"

    class Calls:
        def call(self, method: str, path: str, body: Any) -> Any:
            answer = admin.request(method, path, json=body)
            if answer.status_code >= 400:
                raise CallError(answer.text)
            return answer.json()

    client: Any = Calls()
    assert metadefs.load_files(client, [file]) == "loaded 1 namespaces, 0 were there already"
    assert metadefs.load_files(client, [file]) == "loaded 0 namespaces, 1 were there already"
    broken.write_text('{"namespace": 7}')
    with pytest.raises(CallError, match=r"zz\.json"):
        metadefs.load_files(client, [file, broken])
    assert admin.get(f"{URL}/OS::X").json()["properties"]["a"]["title"] == "A"


def test_a_namespace_may_have_a_name_in_any_script(cloud: ApiCloud) -> None:
    answer = cloud.admin.post("/image/v2/metadefs/namespaces", {"namespace": "種 1"}, 201)
    assert answer.headers["location"].endswith("/%E7%A8%AE%201")
    assert cloud.admin.get(answer.headers["location"].replace("/v2", "/image/v2", 1)).json()["namespace"] == "種 1"
