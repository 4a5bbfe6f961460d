"""What the portal shows as a command: the client takes it as it stands, and every field of a form is in it."""

from __future__ import annotations

import argparse
import contextlib
import html
import importlib.metadata
import io
import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import typer

from tane.cli.app import app as tane_app
from tane.services.dashboard.api.special import FIRST
from tane.services.dashboard.domain import commands, forms
from tane.services.dashboard.domain.describing import Action, Field, Kind, Row, Values
from tane.services.dashboard.resources import ALL
from tests.api.dashboard_support import D, N, Scene, make_scene
from tests.support import ApiCloud


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


GROUPS = (
    "openstack.common",
    "openstack.compute.v2",
    "openstack.identity.v3",
    "openstack.image.v2",
    "openstack.network.v2",
    "openstack.volume.v3",
    "openstack.orchestration.v1",
    "openstack.rating.v1",
    "openstack.rating.v2",
)
NOT_INSTALLED = ("openstack alarm",)
"""The plugin for alarms is none of the clients that the tests have; its lines are made in ``api/alarms.py``."""
BY_BODY = ("alarm", "event-alarm", "composite-alarm", "alarm-change")
"""Forms whose line is made of the body that they send, whatever the fields (``tests/api/test_dashboard_alarms.py``)."""
IDS = {"id": "7", "name": "n1", "in": "in1", "user": "u1", "project": "p1"}
ROW: Row = {
    "id": "i1",
    "name": "old",
    "description": "was",
    "status": "in-use",
    "in": "in1",
    "host": "h1",
    "binary": "b1",
    "attachments": [{"server_id": "s1"}],
    "tags": ["gone"],
    "metadata": {"gone": "1"},
    "prefixes": ["10.0.0.0/8"],
    "external_gateway_info": {"network_id": "n"},
    "availability_zone": "z",
    "end": "2026-12-01T00:00:00",
}
TYPED: dict[str, Any] = {
    "number": 3,
    "refs": ["r1", "r2"],
    "lines": ["10.0.0.2-10.0.0.9", "10.0.1.2 – 10.0.1.9"],
    "list": ["a", "b"],
    "pairs": {"k": "v"},
    "date": "2026-12-01",
    "bool": True,
    "area": "it's\nlong",
    "password": "<password>",
}
OTHER: dict[str, Any] = {"cost": "1.5", "level": "2.5", "cidr": "fd00::/64", "status": "error", "named": "own"}
"""What a field takes that is no word."""


def actions() -> Iterator[tuple[Kind, Action]]:
    for kind in ALL:
        for action in (*kind.actions, *([kind.create] if kind.create else [])):
            yield kind, action


def typed(field: Field, n: int = 0) -> Any:
    """Something plausible in a field."""
    if field.kind == "choice":
        return [key for key, _ in field.choices if key][n]
    if field.kind in TYPED:
        return TYPED[field.kind]
    return OTHER.get(field.name, f"text{n}")


def ways(field: Field) -> list[Any]:
    """Two things, at least, that a field may hold."""
    if field.kind == "bool":
        return [True, False]
    if field.kind == "choice":
        return [key for key, _ in field.choices if key]
    one = typed(field)
    return [one, one + 1 if field.kind == "number" else one[:1] if isinstance(one, list | str) else {"other": "x"}]


def line_of(action: Action, values: Values) -> str:
    return commands.command(action, values, IDS, ROW, typed=True)


def least(action: Action) -> Values:
    return {f.name: False if f.kind == "bool" else typed(f) for f in action.fields if f.required or f.kind == "bool"}


def fillings(action: Action) -> Iterator[Values]:
    """Ways to fill a form in: the least, each field more than that, and what can be emptied emptied."""
    yield least(action)
    for field in action.fields:
        if field.kind == "file":
            continue
        choices = len([key for key, _ in field.choices if key]) if field.kind == "choice" else 1
        for n in range(choices):
            yield {**least(action), field.name: typed(field, n)}


@cache
def entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    found: dict[str, importlib.metadata.EntryPoint] = {}
    for group in GROUPS:
        for one in importlib.metadata.entry_points(group=group):
            found.setdefault(one.name.replace("_", " "), one)
    return found


class Anything:
    """A client manager that has every service."""

    def __getattr__(self, name: str) -> Anything:
        return Anything()

    def __call__(self, *given: Any, **more: Any) -> bool:
        return True


@cache
def parser_of(name: str) -> argparse.ArgumentParser:
    app = argparse.Namespace(client_manager=Anything(), options=argparse.Namespace(), stdin=None, stdout=None)
    found: argparse.ArgumentParser = entry_points()[name].load()(app, None).get_parser(f"openstack {name}")
    return found


def refused(words: list[str]) -> str:
    """What a client says against a command; "" when it takes it."""
    if words[0] == "./tane":
        return refused_by_tane(words[1:])
    words = words[1:]
    while words[0].startswith("--os-"):
        words = words[2:]
    name = next((" ".join(words[:n]) for n in range(6, 0, -1) if " ".join(words[:n]) in entry_points()), "")
    if not name:
        return "no such command"
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser_of(name).parse_args(words[len(name.split()) :])
    except SystemExit:
        return said.getvalue().strip().splitlines()[-1]
    return ""


def refused_by_tane(words: list[str]) -> str:
    command: Any = typer.main.get_command(tane_app)
    context = command.make_context("tane", [], resilient_parsing=True)
    while hasattr(command, "get_command"):
        command = command.get_command(context, words[0])
        if command is None:
            return f"no such command: {words[0]}"
        context = command.make_context(words.pop(0), [], resilient_parsing=True)
    try:
        command.parse_args(type(context)(command), words)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return str(error.format_message())
    return ""


def commands_of(text: str) -> list[list[str]]:
    """The words of each command in what is shown, but of those that write a file."""
    found: list[list[str]] = []
    words = shlex.split(text.replace("<", "L"))
    while words:
        if words[0] == "printf":
            assert words[1] == "%s" and words[3] == ">", words
            words = words[5:]
        elif words[0] in ("openstack", "./tane"):
            found.append([words.pop(0)])
        else:
            found[-1].append(words.pop(0))
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "line",
    [
        "openstack server reboot --medium web",
        "openstack server dance web",
        "openstack subnet create --network bed",
        "./tane host drain h1 --how live",
        "./tane host tokens",
    ],
)
def test_what_the_client_does_not_know_is_seen(line: str) -> None:
    assert refused(line.split()), line


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_clients_own_parsers_take_every_command() -> None:
    wrong: list[str] = []
    seen: set[str] = set()
    for kind, action in actions():
        if not action.command or action.command.startswith(NOT_INSTALLED) or action.special in BY_BODY:
            continue
        for values in fillings(action):
            text = line_of(action, values)
            if text in seen:
                continue
            seen.add(text)
            wrong += [f"{kind.name}.{action.name}: {text}: {why}" for one in commands_of(text) if (why := refused(one))]
    assert not wrong, "\n".join(wrong)
    assert len(seen) > 400


OWN: Values = {"named": "own"}
BESIDE: dict[str, Values] = {
    "volume_goes": {"volume_size": 3},
    "dns": {"cidr": "10.0.0.0/8"},
    "router": {"cidr": "::/64"},
    "protocol": OWN,
    "port_range_min": OWN,
    "port_range_max": {**OWN, "port_range_min": 1},
}
"""What a field has an effect with alone."""
TOLD_ELSEWHERE = {
    ("images", "create", "url"): "a form with a file shows nothing that is typed",
    ("hosts", "drain", "how"): "it is in the calls after the first: ./tane host drain moves what runs as it can",
}
"""Fields that neither command nor request nor a sentence tells, and why."""


def requested(action: Action, values: Values) -> str:
    """The body of the request."""
    body = FIRST[action.special](values) if action.special in FIRST else forms.body(action, values, ROW)
    return str(body)


def test_every_field_of_every_form_is_in_its_command_or_said_to_be_in_the_request() -> None:
    silent, used = [], set()
    for kind, action in actions():
        for field in action.fields:
            if field.kind == "file" or not action.command or action.special in BY_BODY:
                continue
            beside = {**least(action), **BESIDE.get(field.name, {})}
            forms_of_it = [{**beside, field.name: one} for one in ways(field)]
            lines = {line_of(action, one) for one in forms_of_it}
            said = len(lines) > 1 or (field.kind == "password" and field.option.split()[0] in lines.pop())
            noted = any(field in commands.unsaid(action, one, ROW) for one in forms_of_it)
            noted = noted and len({requested(action, one) for one in forms_of_it}) > 1
            place = (kind.name, action.name, field.name)
            if not said and not noted:
                used.add(place)
                silent += [place] if place not in TOLD_ELSEWHERE else []
    assert not silent, silent
    assert used == set(TOLD_ELSEWHERE)


def shown(text: str) -> list[str]:
    return [
        html.unescape(one) for one in re.findall(r"<code>((?:openstack|curl|printf|./tane) .*?)</code>", text, re.S)
    ]


def test_what_is_emptied_is_in_the_command_and_in_the_request(scene: Scene) -> None:
    made = scene.api.post(f"{N}/security-groups", {"security_group": {"name": "g", "description": "long"}}, 201).json()
    path = f"{D}/security-groups/{made['security_group']['id']}/edit"
    line, request = shown(scene.browser.fill(path, path, name="g", description="", show="command").text)
    assert "--description ''" in line and '"description":""' in request


def test_what_the_client_cannot_say_is_named_beside_the_request_that_does(scene: Scene) -> None:
    volume = scene.make("volumes", name="v", size="1", description="long")
    path = f"{D}/volumes/{volume}/edit"
    answer = scene.browser.fill(path, path, name="v", description="", show="command")
    line, request = shown(answer.text)
    assert "--description" not in line and '"description":""' in request
    assert "The command does not say: Description." in answer.text


def test_a_page_lists_the_commands_of_buttons_that_have_no_form(scene: Scene) -> None:
    volume = scene.make("volumes", name="v", size="1")
    page = scene.browser.get(f"{D}/volumes/{volume}")
    assert f"/dashboard/volumes/{volume}?lines=1" in page
    lines = shown(scene.browser.get(f"{D}/volumes/{volume}?lines=1"))
    assert f"openstack volume delete {volume}" in lines
    assert f"openstack server add volume <server> {volume}" in lines


def test_a_members_jobs_show_no_command_of_administrators(scene: Scene) -> None:
    scene.make("volumes", name="v", size="1")
    assert not [one for one in shown(scene.browser.get(f"{D}/jobs")) if one.startswith("./tane")]
