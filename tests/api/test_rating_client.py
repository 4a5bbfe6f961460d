"""Every command of ``openstack rating`` (cloudkittyclient, unmodified), in both versions of its API."""

from __future__ import annotations

import json
import re
import shlex
from importlib.metadata import distribution
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from cloudkittyclient.v1 import client as v1
from cloudkittyclient.v2 import client as v2
from keystoneauth1 import exceptions, session

from tests.api.compute_support import project
from tests.api.rating_support import begin_month, pass_
from tests.support import ApiCloud, Caller

CLIENTS = {"1": v1.Client, "2": v2.Client}

COMMON = (
    "info_config_get",
    "info_metric_list",
    "info_metric_get instance => Unit",
    "module_list",
    "module_get hashmap",
    "module_disable noop",
    "module_enable noop",
    "module_set_priority noop 3",
    "hashmap_mapping-types_list",
    "hashmap_service_create instance => Service ID",
    "hashmap_service_list",
    "hashmap_service_get {service}",
    "hashmap_field_create {service} flavor_name => Field ID",
    "hashmap_field_list {service}",
    "hashmap_field_get {field}",
    "hashmap_group_create licences => Group ID",
    "hashmap_group_list",
    "hashmap_mapping_create -s {service} -g {group} -t flat 0.25 --description first => Mapping ID",
    "hashmap_mapping_list -s {service}",
    "hashmap_mapping_list -g {group} --filter-tenant",
    "hashmap_mapping_get {mapping}",
    "hashmap_mapping_update {mapping} --end 2040-01-01T00:00:00",
    "hashmap_mapping_create --field-id {field} --value m1.tiny -t rate 1.5 --name tiny --start 2039-01-01T00:00:00",
    "hashmap_threshold_create -s {service} -g {group} -t rate 100 0.8 => Threshold ID",
    "hashmap_threshold_list -s {service}",
    "hashmap_threshold_get {threshold}",
    "hashmap_threshold_update {threshold} --cost 0.7",
    "hashmap_group_mappings_get {group}",
    "hashmap_group_thresholds_get {group}",
    "report_tenant_list",
    "collector-mapping_list",
    "collector_state_get events",
    "collector_enable events",
    "hashmap_threshold_delete {threshold}",
    "hashmap_mapping_delete {mapping}",
    "hashmap_group_delete --recursive {group}",
    "hashmap_field_delete {field}",
    "hashmap_service_delete {service}",
)
ONLY = {
    "1": (
        "summary_get -b 2026-01-01T00:00:00 -g tenant_id res_type -a",
        "total_get -t {project} -s instance",
        "total_get -a",
        "dataframes_get -p {project} -r instance",
    ),
    "2": (
        "summary_get -g type -g time-d --filter type:instance",
        "dataframes_get --filter type:instance --limit 5",
        "scope_state_get --scope-id {project}",
        "scope_state_reset --scope-id {project} {today}",
        "scope_state_reset -a {today}",
        "scope_patch -id {project} --active false",
        "scope_patch -id {project} --active true",
        "tasks_reprocessing_get --scope-id {project}",
    ),
}
REFUSED = {
    "collector-mapping_get instance": 404,
    "collector-mapping_create instance gnocchi": 501,
    "collector-mapping_delete instance": 501,
    "collector_disable events": 501,
    "pyscript_list": 501,
    "pyscript_get {project}": 501,
    "pyscript_create one nothing": 501,
    "pyscript_delete {project}": 501,
}
ONLY_REFUSED: dict[str, dict[str, int]] = {
    "1": {},
    "2": {
        "dataframes_add {file}": 501,
        "tasks_reprocessing_create --scope-id {project} --start-reprocess-time {today} --end-reprocess-time {today} "
        "--reason late": 501,
    },
}
"""What is not done says so (the service's README tells why), and a binding that is not there is not found."""


BROKEN = {"pyscript_update"}
"""The client asks for the script first, and fails when it tells what the answer was."""


class Session(session.Session):
    """Stands where keystoneauth has its session: the adapter's requests go to the cloud in this process."""

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self.caller = caller

    def request(self, url: str, method: str, **kwargs: Any) -> Any:
        parts = urlsplit(url)
        path = f"/rating{parts.path}" + (f"?{parts.query}" if parts.query else "")
        data = kwargs.get("data")
        given = kwargs.get("json")
        sent = json.dumps(given, cls=session._JSONEncoder) if data is None and given is not None else data
        headers = {name: value for name, value in (kwargs.get("headers") or {}).items() if value}
        answer = self.caller.request(method, path, headers=headers, content=sent)
        if answer.status_code >= 400:
            raise exceptions.from_response(answer, method, url)
        return answer


def command(client: Any, version: str, line: str) -> list[dict[str, Any]]:
    """Run one, as ``openstack`` does; what it would print, by column."""
    name, *words = shlex.split(line)
    [entry] = [one for one in entries(version) if one.name == f"rating_{name}"]
    made = entry.load()(SimpleNamespace(client_manager=SimpleNamespace(rating=client), client=client), None)
    shown = made.take_action(made.get_parser(name).parse_args(words))
    if not isinstance(shown, tuple):
        return []
    columns, values = shown
    rows = values if values and isinstance(values[0], (list, tuple)) else [values]
    return [dict(zip(columns, row, strict=False)) for row in rows]


def entries(version: str) -> list[Any]:
    found = distribution("python-cloudkittyclient").entry_points
    return [one for one in found if one.group == f"openstack.rating.v{version}"]


@pytest.mark.parametrize("version", ["1", "2"])
def test_every_command_does_what_it_says_or_says_that_it_is_not_done(
    cloud: ApiCloud, version: str, tmp_path: Path
) -> None:
    begin_month(cloud)
    garden = project(cloud)
    garden.server()
    pass_(cloud, hours=2)
    client = CLIENTS[version](session=Session(garden.admin))
    (tmp_path / "frames").write_text('{"dataframes": []}')
    today = cloud.core.clock.now().replace(hour=0, minute=0, second=0, microsecond=0).isoformat() + "Z"
    known = {"project": garden.user.project_id, "today": today, "file": str(tmp_path / "frames")}
    lines = [*COMMON[:-5], *ONLY[version], *COMMON[-5:]]
    for template in lines:
        line, _, kept = template.partition(" => ")
        rows = command(client, version, line.format(**known))
        if kept:
            known[re.sub(" ID$", "", kept).lower()] = rows[0][kept]
    for template, status in {**REFUSED, **ONLY_REFUSED[version]}.items():
        with pytest.raises(exceptions.HttpError) as refused:
            command(client, version, template.format(**known))
        assert refused.value.http_status == status, template
    walked = {line.split()[0] for line in (*lines, *REFUSED, *ONLY_REFUSED[version], *BROKEN)}
    assert walked == {one.name.removeprefix("rating_") for one in entries(version)}


def test_what_no_command_asks_the_library_asks(cloud: ApiCloud) -> None:
    begin_month(cloud)
    client = v1.Client(session=Session(cloud.admin))
    service = client.rating.hashmap.create_service(name="volume.size")["service_id"]
    group = client.rating.hashmap.create_group(name="disks")["group_id"]
    mapping = client.rating.hashmap.create_mapping(cost=0.5, service_id=service, group_id=group)
    threshold = client.rating.hashmap.create_threshold(cost=1, level=10, service_id=service, group_id=group)
    named = {"name": "disks", "group_id": group}
    assert client.rating.hashmap.get_mapping_group(mapping_id=mapping["mapping_id"]) == named
    assert client.rating.hashmap.get_threshold_group(threshold_id=threshold["threshold_id"]) == named
    assert client.rating.get_quotation(res_data=[{"service": "volume.size", "desc": {}, "volume": "4"}]) == 2
    assert client.rating.reload_modules() is None
