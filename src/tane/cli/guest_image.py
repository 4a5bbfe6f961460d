"""``tane guest-image``: build the small guest image (once) and print where it lies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tane.cli.common import DEFAULT_STATE, cache_folder
from tane.guest.build import GuestImageError, build

ANY_STATE = "Taken as by every command of a cloud; the same image serves all of them."


def guest_image(
    state: Annotated[Path, typer.Option("--state", help=ANY_STATE, envvar="TANE_STATE")] = DEFAULT_STATE,
) -> None:
    """Build the small guest image and print its files as shell variables: eval "$(./tane guest-image)"."""
    try:
        guest = build(cache_folder(), lambda line: print(line, file=sys.stderr))
    except GuestImageError as error:
        sys.exit(f"tane: {error}")
    print(f"DISK='{guest.disk}'")
    if guest.kernel is not None and guest.ramdisk is not None:
        print(f"KERNEL='{guest.kernel}'\nRAMDISK='{guest.ramdisk}'\nCOMMAND_LINE='{guest.os_command_line}'")
