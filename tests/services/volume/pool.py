"""A simulated host with a pool, for tests of block storage."""

from __future__ import annotations

import uuid

from tane.agent.volume.drivers.fake import FakeVolume
from tane.core import Core
from tane.for_hosts import ForHost, as_called
from tane.hosts import HostAgent, store
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
