"""What can be wrong with a machine or a cloud, found and told with the command that mends it."""

from tane.doctor.cloud import CLOUD_CHECKS
from tane.doctor.database import database_answers
from tane.doctor.host import HOST_CHECKS
from tane.doctor.machine import Machine
from tane.finding import Finding

__all__ = ["CLOUD_CHECKS", "HOST_CHECKS", "Finding", "Machine", "database_answers"]
