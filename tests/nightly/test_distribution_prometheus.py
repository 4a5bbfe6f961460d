"""The distribution's own Prometheus takes what the cloud sends, and answers its alarms."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tane.app import Cloud, make_core
from tane.clock import SystemClock
from tane.config import Config, PrometheusSettings
from tane.services.alarm.domain import asking, promql
from tane.services.metric import checks
from tane.services.metric.domain import inventory, outgoing
from tests.api.compute_support import Project, project
from tests.conftest import NewDatabase
from tests.ports import free_port
from tests.services.alarm.test_promql import GOOD
from tests.support import ApiCloud, fake_hosts, register

PROGRAMS = ("prometheus", "promtool")
pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(not all(shutil.which(name) for name in PROGRAMS), reason="not installed: prometheus"),
]
V2 = "/alarm/v2"


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    url = f"127.0.0.1:{free_port()}"
    settings = tmp_path / "prometheus.yml"
    settings.write_text("global: {}\n")
    command = [
        *("prometheus", f"--config.file={settings}", f"--storage.tsdb.path={tmp_path / 'series'}"),
        *(f"--web.listen-address={url}", "--web.enable-remote-write-receiver"),
    ]
    with (tmp_path / "prometheus.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as running:
        try:
            for _ in range(200):
                if running.poll() is not None:
                    pytest.fail((tmp_path / "prometheus.log").read_text())
                try:
                    urllib.request.urlopen(f"http://{url}/-/ready", timeout=5)
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"http://{url}"
        finally:
            running.terminate()
            running.wait()


@pytest.fixture
def garden(new_database: NewDatabase, tmp_path: Path, prometheus: str) -> Iterator[Project]:
    """A cloud whose time is that of Prometheus."""
    state = tmp_path / "cloud"
    state.mkdir()
    config = Config(state_dir=state, bcrypt_rounds=4, handler_threads=2, database_url=new_database(state))
    config.prometheus = PrometheusSettings(
        remote_write_url=f"{prometheus}/api/v1/write", query_url=prometheus, labels={"cloud": "east"}
    )
    core = make_core(config, clock=SystemClock(), hosts=fake_hosts())
    register(core)
    with asyncio.Runner() as runner:
        cloud = ApiCloud(Cloud(core), runner)
        yield project(cloud)
        cloud.close()
    core.close()


def asked(prometheus: str, query: str) -> Any:
    told = urllib.request.urlopen(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=10)
    return json.load(told)["data"]["result"]


def test_samples_arrive_and_alarms_see_those_of_their_project(garden: Project, prometheus: str) -> None:
    cloud, mia = garden.cloud, garden.user
    eve = cloud.new_user("eve", "shed")
    server_id = garden.server('we"b\\ ü')
    inventory.take(cloud.core)
    assert outgoing.send(cloud.core)[1] == 0
    found = checks.state(cloud.core.config)
    assert found is not None and (found.refused, found.samples, found.error) == (None, 0, "")
    [one] = asked(prometheus, "ceilometer_vcpus")
    assert one["value"][1] == "1" and one["metric"] == {
        "__name__": "ceilometer_vcpus",
        "cloud": "east",
        "resource": server_id,
        "resource_name": 'we"b\\ ü',
        "project": mia.project_id,
        "type": "instance",
        "unit": "vcpu",
    }
    assert asked(prometheus, 'tane_resources{kind="servers"}')[0]["value"][1] == "1"
    rule = {"query": "count(ceilometer_vcpus)", "threshold": 1, "comparison_operator": "ge"}
    states = {}
    for who, name in ((mia, "mia"), (eve, "eve")):
        body = {"name": name, "type": "prometheus", "prometheus_rule": rule}
        made = who.post(f"{V2}/alarms", body, 201).json()
        asking.evaluate(cloud.core)
        states[name] = who.get(f"{V2}/alarms/{made['alarm_id']}").json()["state"]
    assert states == {"mia": "alarm", "eve": "insufficient data"}


def test_what_is_held_to_a_project_is_still_a_query(prometheus: str) -> None:
    for query in GOOD:
        told = urllib.parse.urlencode({"query": promql.constrained(query, "p1")})
        answer = urllib.request.urlopen(f"{prometheus}/api/v1/query?{told}", timeout=10)
        assert json.load(answer)["status"] == "success", query


def test_what_it_reads_has_the_form_that_its_own_tool_wants(garden: Project) -> None:
    garden.server('we"b\\ 1')
    garden.cloud.admin.get("/metrics")
    inventory.take(garden.cloud.core)
    text = garden.cloud.admin.get("/metrics").content
    told = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    # Help texts are advice (its status is 3 then), and what is no form of its own is an error (1).
    assert told.returncode in (0, 3), told.stderr.decode()
