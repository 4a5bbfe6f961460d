"""All commands, as they are typed."""

from __future__ import annotations

import os
import sys

import typer

from tane.cli import (
    backup,
    bill,
    demo,
    dev,
    doctor,
    down,
    guest_image,
    host,
    job,
    join,
    metadefs,
    objects,
    openrc,
    openstack,
    serve,
    shell,
    stack,
    status,
    test,
    top,
    up,
)
from tane.config import ConfigError
from tane.linux.programs import complete_path

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A complete, OpenStack-API-compatible private cloud in one process.",
)
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app.command("up")(up.up)
app.command("serve")(serve.serve)
app.command("down")(down.down)
app.command("join")(join.join)
app.command("agent")(join.agent)
app.command("leave")(join.leave)
app.add_typer(host.app, name="host")
app.add_typer(job.app, name="job")
app.add_typer(dev.app, name="dev")
app.add_typer(objects.app, name="object")
app.add_typer(stack.app, name="stack")
app.command("shell", context_settings={"allow_extra_args": True})(shell.shell)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("status")(status.status)
app.command("bill")(bill.bill)
app.command("top")(top.top)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("guest-image")(guest_image.guest_image)
app.add_typer(metadefs.app, name="metadefs")
app.command("openrc")(openrc.openrc)
app.command("openstack", context_settings=PASS_ON)(openstack.openstack)
app.command("test", context_settings=PASS_ON)(test.test)


def main() -> None:
    # Before anything is written: every file of a cloud is its owner's alone.
    os.umask(0o077)
    complete_path()
    try:
        app(prog_name="tane")
    except ConfigError as error:
        sys.exit(f"tane: {error}")
