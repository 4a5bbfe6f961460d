"""What a project holds of this service."""

from tane.held import Held
from tane.services.orchestration.tables import stack

HOLDS = (
    Held(
        "stack",
        stack.c.project_id,
        "openstack stack list --all-projects --property project={project}",
        ~stack.c.deleted,
    ),
)
