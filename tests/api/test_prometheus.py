"""What is measured, as a Prometheus reads it: with a token, or with an application credential in its settings."""

from __future__ import annotations

import base64
import re
from typing import Any

import httpx
import pytest

from tane.services.metric.domain import inventory, latest
from tane.services.metric.domain.measured import Thing
from tests.api.compute_support import Project, project
from tests.support import ApiCloud

LINE = re.compile(r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-z_]+="(\\.|[^"\\\n])*",?)+\})? \S+$')


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def families(answer: httpx.Response) -> dict[str, list[str]]:
    """Lines by their names; the whole has the form it must have."""
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: dict[str, list[str]] = {}
    typed = None
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            typed = line.split()[2]
            assert typed not in found, "each name comes once"
            found[typed] = []
        else:
            assert LINE.match(line), line
            assert re.split(r"[{ ]", line)[0] == typed
            found[str(typed)].append(line)
    return found


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_a_project_reads_what_is_measured_of_its_own(garden: Project) -> None:
    cloud, mia = garden.cloud, garden.user
    eve = cloud.new_user("eve", "shed")
    server_id = garden.server('we"b\\ 1')
    assert families(mia.get("/metrics")) == {}, "it is kept since somebody asks"
    inventory.take(cloud.core)
    [line] = families(mia.get("/metrics"))["ceilometer_vcpus"]
    assert line.endswith(" 1.0") and f'resource="{server_id}"' in line
    assert r'resource_name="we\"b\\ 1"' in line and f'project="{mia.project_id}"' in line
    assert server_id not in eve.get("/metrics").text
    cloud.core.memory[latest.MEMORY].asked -= latest.ASKED_SECONDS + 1
    inventory.take(cloud.core)
    assert latest.MEMORY not in cloud.core.memory, "nobody asks any more"


def test_an_administrator_reads_of_everything_and_of_the_cloud_itself(garden: Project) -> None:
    server_id = garden.server("web")
    garden.cloud.admin.get("/metrics")
    inventory.take(garden.cloud.core)
    told = families(garden.cloud.admin.get("/metrics/"))
    assert told["tane_host_up"] == ['tane_host_up{host="host-1"} 1.0']
    assert 'tane_resources{kind="servers"} 1.0' in told["tane_resources"]
    assert server_id in told["ceilometer_vcpus"][0]
    assert float(told["process_resident_memory_bytes"][0].split()[1]) > 1 << 20


def test_an_application_credential_in_its_settings_is_enough(garden: Project) -> None:
    cloud, mia = garden.cloud, garden.user
    made: Any = {"name": "prometheus", "access_rules": [{"path": "/metrics", "method": "GET", "service": "prometheus"}]}
    path = f"/identity/v3/users/{mia.user_id}/application_credentials"
    kept = mia.post(path, {"application_credential": made}, 201).json()["application_credential"]
    assert cloud.call("GET", "/metrics", headers=basic(kept["id"], kept["secret"])).status_code == 200
    mia.delete(f"{path}/{kept['id']}", 204)
    assert cloud.call("GET", "/metrics", headers=basic(kept["id"], kept["secret"])).status_code == 401
    other = {"name": "other", "access_rules": [{"path": "/v2.1/servers", "method": "GET", "service": "compute"}]}
    kept = mia.post(path, {"application_credential": other}, 201).json()["application_credential"]
    assert cloud.call("GET", "/metrics", headers=basic(kept["id"], kept["secret"])).status_code == 401
    bearer = {"Authorization": f"Bearer {mia.token}"}
    assert cloud.call("GET", "/metrics", headers=bearer).status_code == 200


def test_what_moved_is_told_once_and_by_whom_it_is_now(cloud: ApiCloud) -> None:
    cloud.admin.get("/metrics")
    for host, value in (("old", 1.0), ("new", 2.0), ("old", 3.0), ("new", 4.0)):
        latest.keep(cloud.core, host, [(Thing("s1", "instance", "p1", None, ()), (("cpu",), (value,)))])
    [line] = families(cloud.admin.get("/metrics"))["ceilometer_cpu"]
    assert line.endswith(" 4.0")


WRONG = ["", "Basic OnNlY3JldA==", "Basic", "Basic !", "Basic bm9ib2R5", "Basic bm9ib2R5Ong=", "Bearer x", "Digest a"]


@pytest.mark.parametrize("given", WRONG)
def test_a_stranger_reads_nothing(cloud: ApiCloud, given: str) -> None:
    assert cloud.call("GET", "/metrics", headers={"Authorization": given} if given else {}).status_code == 401
