"""What a project holds of this service."""

from tane.held import Held
from tane.services.compute.tables import server

HOLDS = (
    Held("server", server.c.project_id, "openstack server list --all-projects --project {project}", ~server.c.deleted),
)
