"""``tane guest-image``: build the small guest image, or a whole Debian, once and print where it lies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tane.cli.common import DEFAULT_STATE, cache_folder
from tane.cli.packages import install_missing_packages
from tane.guest.build import GuestImageError, build
from tane.guest.debian.build import build_debian
from tane.linux.programs import DEBIAN_IMAGE

ANY_STATE = "Taken as by every command of a cloud; the same image serves all of them."


def guest_image(
    state: Annotated[Path, typer.Option("--state", help=ANY_STATE, envvar="TANE_STATE")] = DEFAULT_STATE,
    debian: Annotated[bool, typer.Option("--debian", help="A whole Debian 12 with cloud-init (some minutes).")] = False,
    mirror: Annotated[
        str | None, typer.Option("--mirror", help="URL of a Debian archive; without it, this machine's APT sources.")
    ] = None,
) -> None:
    """Build the small guest image and print its files as shell variables: eval "$(./tane guest-image)"."""
    if mirror is not None and not debian:
        raise typer.BadParameter("goes with --debian", param_hint="--mirror")
    try:
        if debian:
            install_missing_packages(DEBIAN_IMAGE)
            guest = build_debian(cache_folder(), _tell, mirror=mirror)
        else:
            guest = build(cache_folder(), _tell)
    except GuestImageError as error:
        sys.exit(f"tane: {error}")
    print(f"DISK='{guest.disk}'")
    if guest.kernel is not None and guest.ramdisk is not None:
        print(f"KERNEL='{guest.kernel}'\nRAMDISK='{guest.ramdisk}'\nCOMMAND_LINE='{guest.os_command_line}'")


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
