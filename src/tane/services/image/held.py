"""What a project holds of this service."""

from tane.held import Held
from tane.services.image.tables import image

HOLDS = (Held("image", image.c.project_id, "openstack image list --project {project}"),)
