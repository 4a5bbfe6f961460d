"""Limits of a project's images (unified limits of the service "image"; sizes in MiB)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

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
    return {name: _in_units(name, value) for name, value in images.usage(tx, [project_id]).items()}


def _in_units(name: str, value: int) -> int:
    return value >> 20 if name.endswith(("size_total", "stage_total")) else value


class _Bound(NamedTuple):
    """What some projects may have together."""

    whose: str
    limits: dict[str, int]
    projects: list[str]

    def of(self, resource: str) -> int:
        return self.limits.get(resource, quota.UNLIMITED)


def _bounds(tx: Tx, core: Core, project_id: str) -> Iterator[_Bound]:
    """A project's own limits, then those of its domain where the limit model is one of two levels."""
    yield _Bound(f"Project {project_id}", limits(tx, core, project_id), [project_id])
    shared, projects = identity.domain_limits(tx, core, "image", project_id)
    if shared:
        yield _Bound(f"The domain of project {project_id}", shared, projects)


def require(tx: Tx, core: Core, project_id: str, **wanted: int) -> None:
    """:raises TooLarge: what a project has and ``wanted`` (resource → amount) together exceed a limit."""
    for bound in _bounds(tx, core, project_id):
        if all(bound.of(name) == quota.UNLIMITED for name in wanted):
            continue
        used = {name: _in_units(name, value) for name, value in images.usage(tx, bound.projects).items()}
        over = [
            _over(name, bound.of(name), used[name], amount)
            for name, amount in wanted.items()
            if quota.exceeded(bound.of(name), used[name], amount)
        ]
        if over:
            raise TooLarge(f"{bound.whose} is over a limit for [{', '.join(over)}]")


def _over(name: str, limit: int, used: int, wanted: int) -> str:
    return f"Resource {name} is over limit of {limit} due to current usage {used} and delta {wanted}"


def require_room(tx: Tx, core: Core, row: Row[Any], resource: str, size: int) -> None:
    """Of a limit of sizes: ``size`` bytes of the image ``row`` fit beside the other images that the limit is for.

    :raises TooLarge: they do not, be it by one byte.
    """
    for bound in _bounds(tx, core, row.project_id):
        limit = bound.of(resource)
        if limit == quota.UNLIMITED:
            continue
        used = images.usage(tx, bound.projects, without=row.id)[resource]
        if used + size > limit << 20:
            over = _over(resource, limit, used >> 20, -(-size >> 20))
            raise TooLarge(f"{bound.whose} is over a limit for [{over}]")
