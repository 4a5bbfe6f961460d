"""What is done with one resource of a stack, and with its snapshots, as sagas."""

from tane.services.orchestration.operations import (
    create_resource,
    delete_resource,
    delete_snapshot,
    turn_resource,
    update_resource,
)

OPERATIONS = (
    create_resource.OPERATION,
    update_resource.OPERATION,
    delete_resource.OPERATION,
    turn_resource.OPERATION,
    delete_snapshot.OPERATION,
)
