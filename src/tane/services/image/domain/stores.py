"""The stores of this cloud, by name."""

from __future__ import annotations

from pathlib import Path

from tane.config import Config
from tane.core import Core
from tane.services.image.drivers.base import Store
from tane.services.image.drivers.file import FileStore
from tane.services.image.drivers.http import HttpStore
from tane.services.image.drivers.objects import ObjectStore

LOCAL = "local"
"""The store that is always there: the folder ``images`` of the state folder."""


def folder(config: Config) -> Path:
    return config.state_dir / "images"


def in_folders(config: Config) -> dict[str, FileStore]:
    """The stores that are folders of this machine, the local one first."""
    others = {
        name: FileStore(name, store.path)
        for name, store in config.image.stores.items()
        if store.type == "file" and store.path != Path()
    }
    return {LOCAL: FileStore(LOCAL, folder(config)), **others}


def all_stores(core: Core) -> dict[str, Store]:
    """Every store, the local one first."""
    settings, folders = core.config.image, in_folders(core.config)
    found: dict[str, Store] = {LOCAL: folders[LOCAL]}
    for name, store in settings.stores.items():
        if store.type == "http":
            found[name] = HttpStore(settings)
        elif store.type == "object":
            found[name] = ObjectStore(core, name, store.policy)
        elif name in folders:
            found[name] = folders[name]
    return found


def writable(core: Core) -> list[str]:
    """Names of the stores that take data."""
    return [name for name, store in all_stores(core).items() if not store.read_only]


def default(core: Core) -> str:
    wanted = core.config.image.default_store
    return wanted if wanted in writable(core) else LOCAL


def weight(core: Core, name: str) -> int:
    settings = core.config.image.stores.get(name)
    return settings.weight if settings else 0


def description(core: Core, name: str) -> str:
    settings = core.config.image.stores.get(name)
    return settings.description if settings else ""


def http_store(core: Core) -> str | None:
    """The name of the store of URLs, when there is one."""
    return next((name for name, store in all_stores(core).items() if store.kind == "http"), None)


def is_slow(core: Core, name: str) -> bool:
    """Whether a store's data is worth a place in the cache: it comes from the web, or the settings say so."""
    settings = core.config.image.stores.get(name)
    return settings is not None and (settings.slow or settings.type == "http")


def local_path(core: Core, digest: str, *, slow: bool = True) -> Path | None:
    """The content's file in whichever store on this machine has it; ``slow``: also in a slow one."""
    for name, store in all_stores(core).items():
        if is_slow(core, name) and not slow:
            continue
        if not store.read_only and (path := store.local_path(store.url_of(digest))) is not None:
            return path
    return None
