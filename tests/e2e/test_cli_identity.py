"""Every identity command of the ``openstack`` client, as its own list tells them, against a running cloud."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.real import RealCloud
from tests.e2e.shell import Shell, commands, left

COMMANDS = commands("openstack.identity.v3")
NOT_OFFERED = {
    "federation": "logins by another identity provider are not offered",
    "identity provider": "logins by another identity provider are not offered",
    "mapping": "logins by another identity provider are not offered",
    "service provider": "logins by another identity provider are not offered",
}
"""The first words of commands, with the reason."""


def test_every_identity_command_does_its_work(simulated: RealCloud, tmp_path: Path) -> None:
    shell = Shell(simulated)
    for part in (people, assignments, services, limits, programs, own_credentials):
        part(shell, tmp_path)
    mia = Shell(simulated, "mia", "mia-secret", "garden")
    mia.run("token", "issue")
    mia.run("user", "password", "set", "--original-password", "mia-secret", "--password", "another")
    mia.close()
    cleanup(shell)
    shell.close()
    assert not left(COMMANDS, shell.done + mia.done, NOT_OFFERED), "neither run nor said not to be offered"


def people(shell: Shell, folder: Path) -> None:
    run = shell.run
    run("domain", "create", "land", "--description", "far")
    run("domain", "set", "land", "--description", "wide", "--disable")
    assert "land" in run("domain", "list")
    run("domain", "show", "land")
    run("project", "create", "garden", "--tag", "green", "--property", "colour=red", "--enable")
    run("project", "create", "shed", "--parent", "garden")
    run("project", "set", "garden", "--description", "roses", "--tag", "old")
    assert "garden" in run("project", "list", "--tags", "green,old")
    assert "parents" in run("project", "show", "shed", "--parents")
    run("user", "create", "mia", "--password", "mia-secret", "--project", "garden", "--email", "mia@example.org")
    run("user", "set", "mia", "--description", "gardener")
    assert "gardener" in run("user", "show", "mia")
    run("user", "list", "--long")
    run("group", "create", "growers")
    run("group", "set", "growers", "--description", "of roses")
    run("group", "show", "growers")
    run("group", "add", "user", "growers", "mia")
    assert "mia in group growers" in run("group", "contains", "user", "growers", "mia")
    assert "mia" in run("user", "list", "--group", "growers")
    assert "growers" in run("group", "list", "--user", "mia")


def assignments(shell: Shell, folder: Path) -> None:
    run = shell.run
    run("role", "create", "painter", "--description", "of walls")
    run("role", "set", "painter", "--name", "printer")
    run("role", "show", "printer")
    assert "printer" in run("role", "list")
    run("implied", "role", "create", "printer", "--implied-role", "reader")
    assert "printer" in run("implied", "role", "list")
    run("implied", "role", "delete", "printer", "--implied-role", "reader")
    run("role", "add", "--user", "mia", "--project", "garden", "member")
    run("role", "add", "--group", "growers", "--project", "garden", "--inherited", "printer")
    run("role", "add", "--user", "mia", "--system", "all", "reader")
    listed = run("role", "assignment", "list", "--names", "--project", "garden", "--effective")
    assert "mia@Default" in listed
    run("role", "assignment", "list", "--names", "--system", "all")
    run("role", "remove", "--group", "growers", "--project", "garden", "--inherited", "printer")
    run("role", "remove", "--user", "mia", "--system", "all", "reader")


def services(shell: Shell, folder: Path) -> None:
    run = shell.run
    run("region", "create", "north", "--description", "cold")
    run("region", "set", "north", "--description", "colder")
    run("region", "show", "north")
    assert "north" in run("region", "list")
    run("service", "create", "painting", "--name", "brush")
    run("service", "set", "brush", "--description", "paints")
    run("service", "show", "brush")
    assert "brush" in run("service", "list")
    endpoint = shell.make("endpoint", "create", "--region", "north", "brush", "public", "http://203.0.113.5/")
    run("endpoint", "set", endpoint, "--url", "http://203.0.113.6/")
    assert "203.0.113.6" in run("endpoint", "show", endpoint)
    run("endpoint", "list", "--service", "brush")
    run("endpoint", "add", "project", endpoint, "garden")
    assert endpoint in run("endpoint", "list", "--project", "garden")
    run("endpoint", "remove", "project", endpoint, "garden")
    filters = folder / "filters.json"
    filters.write_text('{"interface": "public"}')
    group = shell.make("endpoint", "group", "create", "open", str(filters))
    run("endpoint", "group", "set", group, "--name", "wide")
    run("endpoint", "group", "show", group)
    run("endpoint", "group", "list")
    run("endpoint", "group", "add", "project", group, "garden")
    run("endpoint", "group", "remove", "project", group, "garden")
    run("endpoint", "group", "delete", group)
    run("endpoint", "delete", endpoint)
    assert "identity" in run("catalog", "list")
    assert "identity" in run("catalog", "show", "identity")
    rules = folder / "rules.json"
    rules.write_text("{}")
    policy = shell.make("policy", "create", "--type", "text/plain", str(rules))
    run("policy", "set", policy, "--type", "application/json")
    run("policy", "show", policy)
    run("policy", "list")
    run("policy", "delete", policy)


def limits(shell: Shell, folder: Path) -> None:
    run = shell.run
    arguments = ("--service", "brush", "--region", "north", "--default-limit", "10", "canvas")
    registered = shell.make("registered", "limit", "create", *arguments)
    run("registered", "limit", "set", registered, "--default-limit", "20")
    run("registered", "limit", "show", registered)
    run("registered", "limit", "list", "--service", "brush")
    arguments = ("--service", "brush", "--region", "north", "--project", "garden", "--resource-limit", "5", "canvas")
    limit = shell.make("limit", "create", *arguments)
    run("limit", "set", limit, "--resource-limit", "6")
    run("limit", "show", limit)
    run("limit", "list", "--project", "garden")
    run("limit", "delete", limit)
    run("registered", "limit", "delete", registered)


def programs(shell: Shell, folder: Path) -> None:
    """A program that the administrator lets act on a project as a member, as the client's own login of OAuth has it."""
    run = shell.run
    shown = ("-f", "json")
    consumer = json.loads(run("consumer", "create", "--description", "painter", *shown))
    run("consumer", "set", consumer["id"], "--description", "printer")
    assert "printer" in run("consumer", "show", consumer["id"])
    assert consumer["id"] in run("consumer", "list")
    own = ("--consumer-key", consumer["id"], "--consumer-secret", consumer["secret"])
    asked = json.loads(run("request", "token", "create", *own, "--project", "admin", *shown))
    authorized = ("request", "token", "authorize", "--request-key", asked["key"], "--role", "member")
    verifier = shell.make(*authorized, column="oauth_verifier")
    pair = ("--request-key", asked["key"], "--request-secret", asked["secret"], "--verifier", verifier)
    access = json.loads(run("access", "token", "create", *own, *pair, *shown))
    login = {
        "OS_AUTH_TYPE": "v3oauth1",
        "OS_CONSUMER_KEY": consumer["id"],
        "OS_CONSUMER_SECRET": consumer["secret"],
        "OS_ACCESS_KEY": access["key"],
        "OS_ACCESS_SECRET": access["secret"],
    }
    program = Shell(shell.cloud, login=login)
    project = program.make("token", "issue", column="project_id")
    assert project == shell.make("project", "show", "admin")
    program.run("network", "create", "painted")
    assert "painted" in program.run("network", "list")
    program.run("network", "delete", "painted")
    program.close()
    run("consumer", "delete", consumer["id"])


def own_credentials(shell: Shell, folder: Path) -> None:
    run = shell.run
    credential = shell.make("credential", "create", "--type", "cert", "mia", "secret")
    run("credential", "set", credential, "--user", "mia", "--type", "cert", "--data", "another")
    run("credential", "show", credential)
    run("credential", "list", "--user", "mia")
    run("credential", "delete", credential)
    access = shell.make("ec2", "credentials", "create", column="access")
    run("ec2", "credentials", "show", access)
    assert access in run("ec2", "credentials", "list")
    run("ec2", "credentials", "delete", access)
    rules = '[{"service": "compute", "method": "GET", "path": "/v2.1/servers"}]'
    run("application", "credential", "create", "robot", "--role", "member", "--access-rules", rules)
    run("application", "credential", "show", "robot")
    assert "robot" in run("application", "credential", "list")
    run("application", "credential", "delete", "robot")
    rule = run("access", "rule", "list", "-f", "value", "-c", "ID")
    run("access", "rule", "show", rule)
    run("access", "rule", "delete", rule)
    trust = shell.make("trust", "create", "--project", "admin", "--role", "member", "admin", "mia")
    run("trust", "show", trust)
    run("trust", "list")
    run("trust", "delete", trust)
    token = shell.make("token", "issue")
    assert token


def cleanup(shell: Shell) -> None:
    run = shell.run
    run("group", "remove", "user", "growers", "mia")
    run("group", "delete", "growers")
    run("role", "remove", "--user", "mia", "--project", "garden", "member")
    run("role", "delete", "printer")
    run("user", "delete", "mia")
    run("project", "delete", "shed")
    run("project", "delete", "garden")
    run("service", "delete", "brush")
    run("region", "delete", "north")
    run("domain", "delete", "land")
    run("token", "revoke", shell.make("token", "issue"))


def test_what_is_not_offered_is_a_command_of_the_client() -> None:
    for words in NOT_OFFERED:
        assert any(name.startswith(words) for name in COMMANDS), words
