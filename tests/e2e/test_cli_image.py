"""Every image command of the ``openstack`` client, as its own list tells them, against a running cloud."""

from __future__ import annotations

import time
from pathlib import Path

from tane.cli.client import Client
from tests.e2e.real import RealCloud
from tests.e2e.shell import Shell, commands, left

COMMANDS = commands("openstack.image.v2")
RAW = ("--disk-format", "raw", "--container-format", "bare")
IMPORT_SECONDS = 30.0


def test_every_image_command_does_its_work(simulated: RealCloud, tmp_path: Path) -> None:
    shell = Shell(simulated)
    shell.run("project", "create", "meadow")
    for part in (images, imports, members, cache, limits):
        part(shell, tmp_path)
    metadefs(shell, simulated.admin())
    cleanup(shell)
    shell.close()
    assert not left(COMMANDS, shell.done), "not run"


def images(shell: Shell, folder: Path) -> None:
    run, data = shell.run, folder / "data"
    data.write_bytes(b"not much of a disk" * 100)
    run("image", "create", "disk", *RAW, "--file", str(data), "--property", "os_distro=debian", "--tag", "old")
    assert "active" in run("image", "show", "disk")
    run("image", "set", "disk", "--min-disk", "1", "--property", "os_version=12", "--tag", "new", "--name", "root-disk")
    assert "os_version" in run("image", "show", "root-disk")
    run("image", "unset", "root-disk", "--property", "os_version", "--tag", "old")
    assert run("image", "list", "--tag", "new", "-f", "value", "-c", "Name") == "root-disk"
    assert run("image", "list", "--property", "os_distro=debian", "--long", "-f", "value", "-c", "Name") == "root-disk"
    assert run("image", "list", "--sort", "name:desc", "--limit", "1", "--private") == ""
    run("image", "set", "root-disk", "--deactivate")
    assert "deactivated" in run("image", "show", "root-disk")
    run("image", "set", "root-disk", "--activate", "--public", "--protected")
    assert "root-disk" in run("image", "list", "--public")
    run("image", "set", "root-disk", "--shared", "--unprotected")
    run("image", "save", "root-disk", "--file", str(folder / "saved"))
    assert (folder / "saved").read_bytes() == data.read_bytes()


def imports(shell: Shell, folder: Path) -> None:
    run = shell.run
    assert "glance-direct" in run("image", "import", "info")
    assert "local" in run("image", "stores", "list", "--detail")
    run("image", "create", "staged", *RAW)
    run("image", "stage", "staged", "--file", str(folder / "data"))
    run("image", "import", "staged", "--method", "glance-direct")
    until = time.monotonic() + IMPORT_SECONDS
    while (status := run("image", "show", "staged", "-f", "value", "-c", "status")) != "active":
        assert time.monotonic() < until, status
    task = run("image", "task", "list", "--status", "success", "-f", "value", "-c", "ID")
    assert "api_image_import" in run("image", "task", "show", task)
    run("image", "create", "late", "--import", *RAW, "--file", str(folder / "data"))


def members(shell: Shell, folder: Path) -> None:
    run = shell.run
    project = run("project", "show", "meadow", "-f", "value", "-c", "id")
    run("image", "add", "project", "root-disk", "meadow")
    assert project in run("image", "member", "list", "root-disk")
    assert "pending" in run("image", "member", "get", "root-disk", project)
    run("image", "remove", "project", "root-disk", "meadow")
    assert project not in run("image", "member", "list", "root-disk")


def cache(shell: Shell, folder: Path) -> None:
    run = shell.run
    run("cached", "image", "queue", "root-disk")
    deadline = time.monotonic() + 60
    while " cached " not in run("cached", "image", "list", "-f", "value"):
        assert time.monotonic() < deadline, "the image is not cached"
    run("cached", "image", "delete", "root-disk")
    assert run("cached", "image", "list", "-f", "value") == ""
    run("cached", "image", "clear", "--queue")


def limits(shell: Shell, folder: Path) -> None:
    """An administrator limits the images of one project."""
    run = shell.run
    default = shell.make(
        *("registered", "limit", "create", "--service", "glance", "--default-limit", "50", "image_count_total")
    )
    own = shell.make(
        *("limit", "create", "--service", "glance", "--project", "admin", "--resource-limit", "40", "image_count_total")
    )
    run("image", "create", "counted")
    run("limit", "delete", own)
    run("registered", "limit", "delete", default)


def metadefs(shell: Shell, client: Client) -> None:
    run = shell.run
    run("image", "metadef", "namespace", "create", "Garden::Plants", "--display-name", "Plants", "--private")
    run("image", "metadef", "namespace", "set", "Garden::Plants", "--description", "green", "--public", "--tag", "tall")
    assert "green" in run("image", "metadef", "namespace", "show", "Garden::Plants")
    run("image", "metadef", "namespace", "unset", "Garden::Plants", "--tag", "tall")
    assert "Garden::Plants" in run("image", "metadef", "namespace", "list", "--visibility", "public")
    name = ("--name", "height", "--title", "Height", "--type", "integer")
    run("image", "metadef", "property", "create", "Garden::Plants", *name, "--schema", '{"minimum": 1}')
    run("image", "metadef", "property", "set", "Garden::Plants", "height", "--title", "How high")
    assert "How high" in run("image", "metadef", "property", "show", "Garden::Plants", "height")
    assert "height" in run("image", "metadef", "property", "list", "Garden::Plants")
    run("image", "metadef", "property", "delete", "Garden::Plants", "height")
    run("image", "metadef", "object", "create", "--namespace", "Garden::Plants", "tree")
    run("image", "metadef", "object", "update", "Garden::Plants", "tree", "--name", "oak")
    assert "oak" in run("image", "metadef", "object", "show", "Garden::Plants", "oak")
    assert "oak" in run("image", "metadef", "object", "list", "Garden::Plants")
    # The client has no command that gives an object properties.
    ring = {"name": "rings", "title": "Rings", "type": "integer"}
    body = {"name": "oak", "properties": {"rings": ring}}
    client.call("PUT", "/image/v2/metadefs/namespaces/Garden::Plants/objects/oak", body)
    assert "Rings" in run("image", "metadef", "object", "property", "show", "Garden::Plants", "oak", "rings")
    run("image", "metadef", "object", "delete", "Garden::Plants", "oak")
    run("image", "metadef", "resource", "type", "association", "create", "Garden::Plants", "OS::Glance::Image")
    assert "OS::Glance::Image" in run("image", "metadef", "resource", "type", "list")
    assert "OS::Glance::Image" in run("image", "metadef", "resource", "type", "association", "list", "Garden::Plants")
    run("image", "metadef", "resource", "type", "association", "delete", "Garden::Plants", "OS::Glance::Image")
    run("image", "metadef", "namespace", "delete", "Garden::Plants")


def cleanup(shell: Shell) -> None:
    run = shell.run
    run("image", "delete", "root-disk", "staged", "late", "counted")
    assert run("image", "list", "-f", "value") == ""
    run("project", "delete", "meadow")
