"""A command that the portal shows does what it says: nobody's choice of a name makes an option of it."""

from __future__ import annotations

import importlib
import shlex
import warnings
from typing import Any

import pytest

from tane.services.dashboard.domain import commands, forms
from tests.api.dashboard_support import D, member
from tests.support import ApiCloud

EVIL = "--log-file=.bashrc"
GROUPS = ("openstack.compute.v2", "openstack.network.v2", "openstack.object_store.v1", "openstack.identity.v3")


def understood(line: str) -> tuple[Any, dict[str, Any]]:
    """What the client makes of a command: its own options, and those of the command with what it is about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shell = importlib.import_module("openstackclient.shell").OpenStackShell()
    for group in GROUPS:
        shell.command_manager.add_command_group(group)
    own, rest = shell.parser.parse_known_args(shlex.split(line)[1:])
    found, _, given = shell.command_manager.find_command(rest)
    return own, vars(found(shell, None).get_parser("it").parse_args(given))


def test_a_container_named_as_an_option_is_a_container(cloud: ApiCloud) -> None:
    browser = member(cloud)
    browser.fill(f"{D}/containers", f"{D}/objects", container=EVIL)
    text = browser.get(f"{D}/objects?container={EVIL}")
    line = "openstack object list -- --log-file=.bashrc"
    assert line in text


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("template", "options", "place"),
    [
        ("openstack object list {id}", [], "container"),
        ("openstack server show {id}", [], "server"),
        ("openstack flavor unset {id} --project p", [], "flavor"),
        ("openstack server set {id}", [forms.option("--name", "-x y")], "server"),
        ("openstack user list --group {id}", [], "group"),
    ],
)
def test_what_begins_with_a_dash_is_no_option(template: str, options: list[str], place: str) -> None:
    line = forms.line([*commands.filled(template, {"id": EVIL}), *options])
    own, given = understood(line)
    assert own.log_file is None and given[place] == EVIL, line


def test_a_value_is_tied_to_its_option_and_names_come_behind_all_options() -> None:
    assert forms.line(["openstack x", forms.operand(EVIL), forms.option("--name", "-a b"), forms.operand("c")]) == (
        "openstack x --name='-a b' -- --log-file=.bashrc c"
    )


def test_other_names_are_shown_as_ever() -> None:
    assert forms.line(
        [*commands.filled("openstack server set {id}", {"id": "web"}), forms.option("--name", "a b")]
    ) == ("openstack server set web --name 'a b'")
