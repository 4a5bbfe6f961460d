"""Limits of a project's images (unified limits of the service "image"; sizes in MiB)."""

from __future__ import annotations

from tane import quota
from tane.core import Core
from tane.db import Tx
from tane.services.image.store import images
from tane.web.errors import TooLarge

RESOURCES = ("image_size_total", "image_stage_total", "image_count_total", "image_count_uploading")


def limits(tx: Tx, core: Core | None, project_id: str) -> dict[str, int]:
    """The one place limits are read: a project's own ones, else the settings'. -1 is unlimited.

    Without a core (another service makes the image) only a project's own limits count.
    """
    defaults = {name: quota.UNLIMITED if core is None else getattr(core.config.image, name) for name in RESOURCES}
    return quota.limits(tx, "image", project_id, defaults)


def usage(tx: Tx, project_id: str) -> dict[str, int]:
    """In the limits' units."""
    used = images.usage(tx, project_id)
    return {
        name: value >> 20 if name.endswith(("size_total", "stage_total")) else value for name, value in used.items()
    }


def require(tx: Tx, core: Core | None, project_id: str, **wanted: int) -> None:
    """:raises TooLarge: what a project has and ``wanted`` (resource → amount) together exceed a limit."""
    allowed = limits(tx, core, project_id)
    asked = {name: amount for name, amount in wanted.items() if allowed[name] != quota.UNLIMITED}
    if not asked:
        return
    used = usage(tx, project_id)
    over = [
        f"Resource {name} is over limit of {allowed[name]} due to current usage {used[name]} and delta {amount}"
        for name, amount in asked.items()
        if quota.exceeded(allowed[name], used[name], amount)
    ]
    if over:
        raise TooLarge(f"Project {project_id} is over a limit for [{', '.join(over)}]")
