"""What a project holds of this service."""

from tane.held import Held
from tane.services.alarm.tables import alarm

HOLDS = (Held("alarm", alarm.c.project_id, "openstack alarm list --query project_id={project}"),)
