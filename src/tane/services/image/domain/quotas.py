"""Limits of a project's images (unified limits of the service "image"; sizes in MiB)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane import quota
from tane.core import Core
from tane.db import Tx
from tane.services.identity import interface as identity
from tane.services.image.store import images
from tane.web.errors import TooLarge

RESOURCES = ("image_size_total", "image_stage_total", "image_count_total", "image_count_uploading")


def limits(tx: Tx, core: Core, project_id: str) -> dict[str, int]:
    """The one place limits are read: a registered one as identity tells it, else the settings'. -1 is unlimited."""
    registered = identity.effective_limits(tx, core, "image", project_id)
    return {name: registered.get(name, getattr(core.config.image, name)) for name in RESOURCES}


def usage(tx: Tx, project_id: str) -> dict[str, int]:
    """In the limits' units."""
    used = images.usage(tx, project_id)
    return {
        name: value >> 20 if name.endswith(("size_total", "stage_total")) else value for name, value in used.items()
    }


def require(tx: Tx, core: Core, project_id: str, **wanted: int) -> None:
    """:raises TooLarge: what a project has and ``wanted`` (resource → amount) together exceed a limit."""
    allowed = limits(tx, core, project_id)
    asked = {name: amount for name, amount in wanted.items() if allowed[name] != quota.UNLIMITED}
    if not asked:
        return
    used = usage(tx, project_id)
    over = [
        _over(name, allowed[name], used[name], amount)
        for name, amount in asked.items()
        if quota.exceeded(allowed[name], used[name], amount)
    ]
    if over:
        raise TooLarge(f"Project {project_id} is over a limit for [{', '.join(over)}]")


def _over(name: str, limit: int, used: int, wanted: int) -> str:
    return f"Resource {name} is over limit of {limit} due to current usage {used} and delta {wanted}"


def require_room(tx: Tx, core: Core, row: Row[Any], resource: str, size: int) -> None:
    """Of a limit of sizes: ``size`` bytes of the image ``row`` fit beside the other images of its project.

    :raises TooLarge: they do not, be it by one byte.
    """
    limit = limits(tx, core, row.project_id)[resource]
    if limit == quota.UNLIMITED:
        return
    used = images.usage(tx, row.project_id, without=row.id)[resource]
    if used + size > limit << 20:
        over = _over(resource, limit, used >> 20, -(-size >> 20))
        raise TooLarge(f"Project {row.project_id} is over a limit for [{over}]")
