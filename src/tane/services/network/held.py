"""What a project holds of this service."""

from tane.held import Held
from tane.services.network.tables import KEPT_OWNERS, floating_ip, network, port, router

HOLDS = (
    Held("network", network.c.project_id, "openstack network list --project {project}"),
    Held("router", router.c.project_id, "openstack router list --project {project}"),
    Held("floating IP", floating_ip.c.project_id, "openstack floating ip list --project {project}"),
    Held("port", port.c.project_id, "openstack port list --project {project}", port.c.device_owner.not_in(KEPT_OWNERS)),
)
