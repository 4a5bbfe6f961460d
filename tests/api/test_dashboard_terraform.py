"""The blocks of Terraform that forms show: of the provider's own resources and arguments, and nothing in a name is run.

``terraform_arguments.json``: the arguments of the provider terraform-provider-openstack as its schemas have them
(commit 27f261252ad2 of July 2026; without deprecated ones and ``region``); "!" marks what has to be there.
"""

from __future__ import annotations

import contextlib
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tane.services.dashboard.domain import forms, terraform
from tane.services.dashboard.domain.describing import Action, Kind
from tane.services.dashboard.domain.terraform import Asked, Block, Made, Said
from tane.services.dashboard.resources import KINDS
from tane.web.errors import BadRequest
from tests.api.dashboard_support import D, Scene, admin, make_scene
from tests.support import ApiCloud

PROVIDER: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "terraform_arguments.json").read_text())
SAMPLES = {"cidr": "10.0.0.0/24", "pools": ["10.0.0.2 - 10.0.0.9"], "named": "own", "count": 2, "url": ""}
KIND_SAMPLES: dict[str, Any] = {
    "number": 3,
    "bool": True,
    "date": "2031-01-01",
    "pairs": {"a": "b"},
    "list": ["a", "b"],
    "lines": ["a"],
    "refs": ["a"],
}
HOSTILE = '${file("/etc/passwd")} %{if true}x%{endif} $${a} "q" \\ \n\t\x01 %%{b} $%${c} 日本'


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


def action_of(kind: Kind, name: str) -> Action:
    found = kind.create if name == "create" else kind.action(name)
    assert found is not None, (kind.name, name)
    return found


def asked(cloud: ApiCloud, kind: str, name: str, *, full: bool) -> Asked:
    """A form with every field filled in, or with those alone that must be."""
    if kind in ("containers", "objects"):
        return Asked({"name": "a"}, {"container": "b"}, {})
    action = action_of(KINDS[kind], name)
    inputs = [one for one in forms.inputs(cloud.core, action) if full or one.required]
    values = {
        one.field.name: SAMPLES.get(one.field.name)
        or (one.choices[0][0] if one.kind == "choice" else KIND_SAMPLES.get(one.kind, "x"))
        for one in inputs
        if one.field.name != "url"
    }
    row = {"id": "i", "floating_ip_address": "192.0.2.1"}
    body = values if action.special in ("network", "upload") else forms.body(action, values, row)
    if action.special == "ec2":
        body = {"tenant_id": "p"}
    sent = body.get(action.key, body) if isinstance(body, dict) and action.key else body
    return Asked(sent or {}, {"id": "i", "in": "j", **forms.places(action, values)}, row)


def check(arguments: dict[str, Any], known: dict[str, Any], where: str) -> None:
    names = {name.removesuffix("!"): kind for name, kind in known.items()}
    for name, value in arguments.items():
        if name == "count":
            continue
        assert name in names, f"{where}: the provider takes no {name}"
        check_kind(value, names[name], f"{where}.{name}")
    wanted = {name[:-1] for name in known if name.endswith("!")}
    assert wanted <= set(arguments), f"{where}: {wanted - set(arguments)}"


def check_kind(value: Any, kind: Any, where: str) -> None:
    if isinstance(kind, dict):
        assert value and all(isinstance(one, Block) for one in value), where
        for block in value:
            check(dict(block.arguments), kind, where)
        return
    right = {"number": int, "bool": bool, "list": list, "map": dict, "string": str}[kind]
    placeholder = isinstance(value, str) and value.startswith("<")
    assert isinstance(value, Said | right) or placeholder, f"{where}: {value!r} is no {kind}"
    assert isinstance(value, bool) == (kind == "bool") or placeholder or isinstance(value, Said), where


@pytest.mark.parametrize("filled", ["full", "needed", "nothing"])
def test_every_block_has_the_providers_arguments_and_all_that_must_be_there(cloud: ApiCloud, filled: str) -> None:
    for kind, name in terraform.RESOURCES:
        given = Asked({}, {}, {}) if filled == "nothing" else asked(cloud, kind, name, full=filled == "full")
        made = terraform.made(kind, name, given)
        assert made, (kind, name)
        for one in made:
            check(dict(one.arguments), PROVIDER[one.type], f"{kind} {name}: {one.type}")


def test_what_the_provider_does_not_take_is_said(cloud: ApiCloud) -> None:
    left = {
        (kind, name): set(one.left)
        for kind, name in terraform.RESOURCES
        for one in terraform.made(kind, name, asked(cloud, kind, name, full=True))
        if one.left
    }
    assert left == {
        ("servers", "create"): {"description"},
        ("server-volumes", "create"): {"delete_on_termination"},
        ("roles", "create"): {"description"},
    }
    shown = terraform.written(terraform.made("roles", "create", asked(cloud, "roles", "create", full=True)))
    assert "  # The provider takes no description.\n}" in shown


def test_a_file_of_blocks_reads_back_as_what_was_meant() -> None:
    one = Made("a_b", terraform.label(HOSTILE), {"name": HOSTILE, "m": {HOSTILE: HOSTILE}, "l": [HOSTILE, 1, True]})
    text = terraform.written([one])
    assert re.fullmatch(r'resource "a_b" "[A-Za-z_][\w-]*" \{', text.splitlines()[0], re.ASCII)
    assert [read(word) for word in re.findall(r'"(?:[^"\\]|\\.)*"', text)[2:]] == [HOSTILE] * 4
    assert read(terraform.quoted("a")) == "a"


def read(word: str) -> str:
    """A quoted template as HCL reads it (HCL native syntax, "Template Literals"): a "${" or "%{" that is not escaped
    would begin an expression."""
    found, rest = "", word[1:-1]
    while rest:
        if match := re.match(r'\\(u[0-9a-f]{4}|["\\nrt])', rest):
            found += (
                chr(int(match[1][1:], 16))
                if match[1][0] == "u"
                else {"n": "\n", "r": "\r", "t": "\t"}.get(match[1], match[1])
            )
        elif match := re.match(r"([$%])\1\{", rest):
            found += match[1] + "{"
        else:
            match = re.match(r"(?s).", rest)
            assert match and not rest.startswith(("${", "%{")), rest
            found += match[0]
        rest = rest[match.end() :]
    return found


def test_a_form_that_is_filled_in_by_half_is_shown_as_a_command_and_refused_with_a_sentence(scene: Scene) -> None:
    boss, seen = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin), 0
    for kind in KINDS.values():
        if kind.create is None or kind.create.special in ("upload", "ec2", "passcode"):
            continue
        inputs = forms.inputs(scene.cloud.core, kind.create)
        typed = {
            one.field.name: SAMPLES.get(one.field.name)
            or (one.choices[0][0] if one.choices else {"number": "3", "pairs": "a=b"}.get(one.kind, "a"))
            for one in inputs
            if one.kind not in ("bool", "file")
        }
        for left in [one.field.name for one in inputs if one.required and one.kind != "file"][:2]:
            fields = [(name, str(value)) for name, value in typed.items() if name != left]
            form = [("csrf", boss.browser.csrf), ("show", "command"), *fields]
            answer = boss.browser.post(f"{D}/new/{kind.name}?in=a", form)
            assert answer.status_code == 200, (kind.name, left, answer.text[-2000:])
            seen += 1
    assert seen > 20
    sent = [("csrf", scene.browser.csrf), ("user_data", "#cloud-config\nabc"), ("flavor", "small")]
    refused = scene.browser.post(f"{D}/new/servers", sent)
    assert refused.status_code == 400 and "#cloud-config" in refused.text
    [shown] = re.findall(r"<code>(resource .*?)</code>", html.unescape(refused.text), re.S)
    words = shown.split()
    assert '"<name>"' in words and '"small"' in words and "takes no" not in shown
    roles = scene.browser.post(f"{D}/new/credentials", [("csrf", scene.browser.csrf), ("roles", "member")])
    assert roles.status_code == 400 and 'roles = ["member"]' in html.unescape(roles.text)


def test_every_body_is_made_of_names_that_stand_for_values(scene: Scene) -> None:
    for kind in KINDS.values():
        for action in [*kind.actions, *([kind.create] if kind.create else [])]:
            inputs = forms.inputs(scene.cloud.core, action)
            needed = {one.field.name: forms.stand_in(one) for one in inputs if one.required and one.kind != "file"}
            with contextlib.suppress(BadRequest):
                if inputs:
                    forms.body(action, needed, {"in": "a", "id": "b"})


def test_a_form_shows_the_block_with_what_is_typed(scene: Scene) -> None:
    group = scene.make("security-groups", name="doors")
    path = f"{D}/new/servers"
    typed = {"name": "web ${x}", "groups": group, "count": "2", "user_data": "#!/bin/sh\necho ${HOME}"}
    answer = scene.browser.fill(path, path, show="command", **typed)
    [shown] = re.findall(r"<code>(resource .*?)</code>", html.unescape(answer.text), re.S)
    assert shown.startswith('resource "openstack_compute_instance_v2" "web___x_" {\n')
    for line in (
        r'name += "web \$\$\{x\}-\$\{count.index \+ 1\}"',
        r'security_groups += \["doors"\]',
        r'user_data += "#!/bin/sh\\necho \$\$\{HOME\}"',
        "count += 2",
    ):
        assert re.search(rf"^  {line}$", shown, re.M), (line, shown)
    assert "admin_pass" not in shown
    floating = scene.browser.get(f"{D}/new/floating-ips")
    assert 'pool = "&lt;pool&gt;"' in floating or "pool = &#34;&lt;pool&gt;&#34;" in floating
