"""A simulated host with a pool, for tests of block storage."""

from __future__ import annotations

import uuid

from sqlalchemy import insert

from tane.agent.volume.drivers.fake import FakeVolume
from tane.core import Core
from tane.for_hosts import ForHost, as_called
from tane.hosts import HostAgent, store
from tane.services.identity.tables import project
from tests.support import HOST_ID


def add_pool(core: Core, name: str = "a-pool") -> FakeVolume:
    """Register a host whose only duty is a pool in memory, larger than any other."""
    host_id = str(uuid.uuid4())
    pool = FakeVolume(backups=as_called(ForHost(core, host_id)).backup)
    core.hosts.add(HostAgent(host_id, name, volume=pool))
    with core.db.write() as tx:
        # Servers of the other host reach its volumes by a tunnel.
        store.change(tx, HOST_ID, local_ip="192.0.2.8")
        store.register(tx, host_id, name, ["volume"], "192.0.2.9", {"pool_gb": 1 << 20})
    return pool


def add_project(core: Core, project_id: str) -> None:
    """Object storage keeps things for projects that are there."""
    with core.db.write() as tx:
        values = {"id": project_id, "name": project_id, "domain_id": "default", "is_domain": False}
        more = {"description": "", "enabled": True, "tags": [], "options": {}, "extra": {}}
        tx.execute(insert(project).values(**values, **more, created_at=tx.now))
