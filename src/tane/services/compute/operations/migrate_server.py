"""A server goes to another host with the flavor it has: as a resize, which it is but for the flavor."""

from tane.jobs import Operation
from tane.services.compute.operations.resize_server import STEPS, failed
from tane.services.compute.orders import MIGRATE_SERVER

OPERATION = Operation(MIGRATE_SERVER, STEPS, failed)
