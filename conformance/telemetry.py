"""``conformance/run telemetry``: every command of gnocchiclient, aodhclient and cloudkittyclient.

Of the last those that say that they are not done are in ``tests/api/test_rating_client.py``, with the older version.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from conformance.cloud import Cloud
from conformance.packages import install

PACKAGES = (
    *("python-openstackclient==10.5.0", "gnocchiclient==7.2.0", "aodhclient==3.12.0"),
    "python-cloudkittyclient==6.2.0",
)
SAMPLE = "2026-11-26T10:00:00@4.5"
UUID = "0f5a1e0c-6a55-4f6b-9a51-0000000000aa"
METRICS, RESOURCES = "gnocchi_aggregation_by_metrics_threshold", "gnocchi_aggregation_by_resources_threshold"

COMMANDS = (
    "metric server version",
    "metric status",
    "metric capabilities list",
    "metric archive-policy create -d granularity:1m,points:60 -m mean -m max -b 1 walked",
    "metric archive-policy update -d granularity:1m,points:120 walked",
    "metric archive-policy show walked",
    "metric archive-policy list",
    "metric archive-policy-rule create -a walked -m walk.* walking",
    "metric archive-policy-rule show walking",
    "metric archive-policy-rule list",
    "metric resource-type create -a colour:string:false:min_length=1:max_length=10 rose",
    "metric resource-type update -a size:number:false:min=0:max=5 rose",
    "metric resource-type show rose",
    "metric resource-type list",
    "metric resource create --type rose -a colour:red -n walk.size:walked {uuid}",
    "metric resource update --type rose -a colour:white {uuid}",
    "metric resource show --type rose {uuid}",
    "metric resource list --type rose --details",
    "metric resource history --type rose {uuid}",
    "metric resource search --type rose colour=white",
    "metric create -r {uuid} -u B walk.more -f value -c id => metric",
    "metric show {metric}",
    "metric list",
    "metric measures add -m {sample} {metric}",
    "metric measures batch-metrics {batch_metrics}",
    "metric measures batch-resources-metrics --create-metrics {batch_resources}",
    "metric measures show --refresh --aggregation mean --granularity 60 {metric}",
    "metric measures show -r {uuid} walk.more",
    "metric measures aggregation -m {metric} --aggregation mean",
    "metric aggregates --granularity 60 '(aggregate mean (metric {metric} mean))'",
    "metric aggregates --resource-type rose --groupby colour '(aggregate max (metric walk.* mean))' colour=white",
    "alarming capabilities list",
    "alarm quota show",
    "alarm quota set --alarm 50 {project}",
    "alarm create --type gnocchi_resources_threshold --name one --metric walk.more --threshold 5 --resource-id {uuid} "
    "--resource-type rose --aggregation-method mean --alarm-action https://example.com/x -f value -c alarm_id => alarm",
    "alarm create --type {metrics} --name two --metric {metric} --threshold 5 --aggregation-method max",
    "alarm create --type {resources} --name three --metric walk.more --threshold 5 --aggregation-method max "
    '--resource-type rose --query \'{{"=": {{"colour": "white"}}}}\'',
    "alarm create --type event --name four --event-type compute.server.update --query "
    "'traits.name=string::web;traits.status=ERROR'",
    "alarm create --type composite --name five --composite-rule '{composite}' --time-constraint "
    "name=night;start=0\\ 23\\ *\\ *\\ *;duration=3600",
    "alarm list",
    "alarm list --filter severity=low --sort name:desc --limit 2",
    "alarm list --query 'type={metrics} and state!=ok'",
    "alarm show {alarm}",
    "alarm update --severity critical --threshold 7 {alarm}",
    "alarm state get {alarm}",
    "alarm state set --state ok {alarm}",
    "alarm-history show {alarm}",
    "alarm-history search --query alarm_id={alarm}",
    "alarm metrics",
    "alarm delete {alarm}",
    "metric delete {metric}",
    "metric resource delete {uuid}",
    "metric resource batch delete --type rose original_resource_id=none",
    "metric resource-type delete rose",
    "metric archive-policy-rule delete walking",
    "metric archive-policy delete walked",
    "rating info config get",
    "rating info metric list",
    "rating info metric get instance",
    "rating module list",
    "rating module get hashmap",
    "rating module disable noop",
    "rating module enable noop",
    "rating module set priority noop 2",
    "rating hashmap mapping-types list",
    "rating hashmap service create instance -f value -c Service\\ ID => service",
    "rating hashmap service list",
    "rating hashmap service get {service}",
    "rating hashmap field create {service} flavor_name -f value -c Field\\ ID => field",
    "rating hashmap field list {service}",
    "rating hashmap field get {field}",
    "rating hashmap group create licences -f value -c Group\\ ID => group",
    "rating hashmap group list",
    "rating hashmap mapping create -s {service} -g {group} 0.25 -f value -c Mapping\\ ID => mapping",
    "rating hashmap mapping create --field-id {field} --value m1.tiny -t rate 0.5 --end 2040-01-01T00:00:00",
    "rating hashmap mapping list -s {service}",
    "rating hashmap mapping get {mapping}",
    "rating hashmap mapping update --end 2040-01-01T00:00:00 {mapping}",
    "rating hashmap threshold create -s {service} -g {group} -t rate 10 0.5 -f value -c Threshold\\ ID => threshold",
    "rating hashmap threshold list -s {service}",
    "rating hashmap threshold get {threshold}",
    "rating hashmap threshold update --cost 0.4 {threshold}",
    "rating hashmap group mappings get {group}",
    "rating hashmap group thresholds get {group}",
    "rating report tenant list",
    "rating summary get -g type -g time-d",
    "rating collector-mapping list",
    "rating collector state get events",
    "rating collector enable events",
    "rating tasks reprocessing get",
    "rating hashmap threshold delete {threshold}",
    "rating hashmap mapping delete {mapping}",
    "rating hashmap group delete --recursive {group}",
    "rating hashmap field delete {field}",
    "rating hashmap service delete {service}",
)

BENCHMARKS = tuple(
    f"metric benchmark {what}" for what in ("metric create", "metric show", "measures add", "measures show")
)
LEFT_OUT = "metric benchmark …: with this keystoneauth the client fails before it asks anything (cannot pickle a lock)"


LISTING = """
import importlib.metadata, json
print(json.dumps([
    one.name for found in importlib.metadata.distributions() for one in found.entry_points
    if one.group.startswith(("openstack.metric.", "openstack.alarming."))
]))
"""
"""Those of rating are compared with what is tried by ``tests/api/test_rating_client.py``."""


def unwalked(entry_points: Iterable[str]) -> list[str]:
    """Commands of the clients that nothing here types. ``entry_points``: their names, with ``_`` between the words."""
    known = {name.replace("_", " ") for name in entry_points}
    typed = {
        max((name for name in known if f"{template} ".startswith(f"{name} ")), key=len, default="")
        for template in COMMANDS
    }
    return sorted(known - typed - {*BENCHMARKS})


def run(cloud: Cloud, folder: Path) -> list[tuple[str, str]]:
    """(command, what was wrong with it or nothing)."""
    programs = install("telemetry-clients", PACKAGES)
    environment = {**os.environ, **_openrc(cloud)}
    batches = {
        "batch_metrics": lambda known: {known["metric"]: [{"timestamp": 1_800_000_000, "value": 1}]},
        "batch_resources": lambda known: {UUID: {"walk.batch": [{"timestamp": 1_800_000_000, "value": 1}]}},
    }
    known = {"uuid": UUID, "sample": SAMPLE, "metrics": METRICS, "resources": RESOURCES}
    known["project"] = cloud.admin.call("GET", "/identity/v3/auth/projects")["projects"][0]["id"]
    listed = subprocess.run([str(programs / "python"), "-c", LISTING], check=True, capture_output=True, text=True)
    found = [(command, "nothing types it") for command in unwalked(json.loads(listed.stdout))]
    for template in COMMANDS:
        for name, make in batches.items():
            if f"{{{name}}}" in template:
                (folder / name).write_text(json.dumps(make(known)))
                known[name] = str(folder / name)
        if "metric" in known:
            rule = {"type": METRICS, "metrics": [known["metric"]], "threshold": 3, "aggregation_method": "max"}
            known["composite"] = json.dumps({"or": [rule, rule]})
        command, _, kept = template.partition(" => ")
        line = command.format(**known)
        words = [re.sub(r"\\ ", " ", word) for word in _words(line)]
        answer = subprocess.run(
            [str(programs / "openstack"), *words], env=environment, capture_output=True, text=True, check=False
        )
        if kept:
            known[kept] = answer.stdout.strip()
        found.append((line, "" if answer.returncode == 0 else (answer.stderr or answer.stdout).strip()[-400:]))
    return found


def _words(line: str) -> list[str]:
    """Split at spaces, but not in single quotes or behind a backslash."""
    found = re.findall(r"'([^']*)'|((?:\\ |[^\s'])+)", line)
    return [quoted or plain for quoted, plain in found]


def _openrc(cloud: Cloud) -> dict[str, str]:
    text = subprocess.run(
        [str(Path(__file__).parent.parent / "tane"), "openrc", "--state", str(cloud.state.folder)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    pairs = (line.removeprefix("export ").split("=", 1) for line in text.splitlines() if "=" in line)
    return {name: value.strip("'") for name, value in pairs}


def lines(found: Sequence[tuple[str, str]]) -> list[str]:
    told = [f"FAILED openstack {command}\n       {why}" for command, why in found if why]
    failed = len(told)
    return [*told, f"left out: {LEFT_OUT}", f"telemetry: {len(found) - failed} passed, {failed} failed, 4 skipped"]
