"""What compute tells of: every change of these rows is an event."""

from tane.db.recording import Part, Source
from tane.services.compute.tables import (
    aggregate,
    block_device,
    flavor,
    flavor_access,
    keypair,
    migration,
    nic_tag,
    server,
    server_group,
    server_tag,
)

SERVED = ("name", "vm_state", "task_state", "flavor_id", "image_id", "user_id", "vcpus", "ram_mb", "disk_gb")
SERVER = Source(server, "compute.server", shows=SERVED, gone="deleted")
FLAVOR = Source(flavor, "compute.flavor")

EVENTS = (
    SERVER,
    Part(server_tag, "server_id", SERVER),
    Part(nic_tag, "server_id", SERVER),
    Part(block_device, "server_id", SERVER),
    Part(migration, "server_id", SERVER),
    Source(server_group, "compute.server_group"),
    Source(keypair, "compute.keypair", id=("name",), owner="user_id", shows=("fingerprint",)),
    FLAVOR,
    Part(flavor_access, "flavor_id", FLAVOR),
    Source(aggregate, "compute.aggregate"),
)
