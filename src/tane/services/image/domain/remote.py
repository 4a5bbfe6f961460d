"""Images of other regions (import method "glance-download"): what of them becomes this cloud's image."""

from __future__ import annotations

from typing import Any

from tane.core import Core
from tane.services.identity import interface as identity
from tane.services.image.domain import protections
from tane.services.image.domain.images import check_properties, is_custom
from tane.services.image.drivers.base import StoreError
from tane.services.image.drivers.glance import Remote
from tane.services.image.schemas import CONTAINER_FORMATS, DISK_FORMATS
from tane.web.context import Context
from tane.web.errors import BadRequest, TooLarge

CALLERS = "image.import_callers"


def remember(core: Core, task_id: str, ctx: Context) -> None:
    """Keep who asked for an import, with the token: in this process's memory alone, never in the database."""
    core.memory.setdefault(CALLERS, {})[task_id] = ctx


def forget(core: Core, task_id: str) -> None:
    core.memory.get(CALLERS, {}).pop(task_id, None)


def caller(core: Core, task_id: str) -> Context:
    """:raises StoreError: the cloud was started anew since."""
    ctx: Context | None = core.memory.get(CALLERS, {}).get(task_id)
    if ctx is None:
        raise StoreError("the cloud was started anew and does not keep tokens: ask for the import again")
    return ctx


def service(core: Core, ctx: Context, region: str, interface: str) -> Remote:
    """:raises StoreError: the catalogue has no such image service."""
    url = identity.endpoint_url(core, ctx.project_id, "image", region, interface)
    if url is None:
        raise StoreError(f"Glance endpoint not found for region {region} and interface {interface}")
    return Remote(url, ctx.token)


def describe(core: Core, ctx: Context, found: dict[str, Any]) -> dict[str, Any]:
    """The formats and properties to take over from an image as the other region shows it, and what its data is.

    :raises StoreError: it is not active, or has what images here cannot have.
    """
    if found.get("status") != "active":
        raise StoreError(f"Source image status should be active instead of {found.get('status')}")
    if found.get("disk_format") not in DISK_FORMATS or found.get("container_format") not in CONTAINER_FORMATS:
        raise StoreError(f"an image {found.get('disk_format')} in {found.get('container_format')} cannot be used here")
    if not isinstance(found.get("size"), int):
        raise StoreError("Size attribute of remote image could not be determined.")
    prefixes = core.config.image.glance_download_properties
    properties = {name: value for name, value in found.items() if name.startswith(prefixes) and is_custom(name)}
    for name in properties:
        if not protections.allows(core, ctx, name, "create"):
            raise StoreError(f"Property '{name}' is protected")
    try:
        check_properties(properties)
    except (BadRequest, TooLarge) as error:
        raise StoreError(error.message) from None
    kept = ("disk_format", "container_format", "size", "os_hash_algo", "os_hash_value")
    return {"properties": properties, **{name: found.get(name) for name in kept}}


def check(about: dict[str, Any], size: int, sha512: str) -> None:
    """What came is what the other region told of. :raises StoreError:"""
    if size != about["size"]:
        raise StoreError(f"downloaded data size {size} is different from expected {about['size']}")
    if about["os_hash_algo"] == "sha512" and about["os_hash_value"] not in (None, sha512):
        raise StoreError("the downloaded data is not what its hash tells")
