"""Orchestration (Heat v1)."""

from tane.services.orchestration.api.common import error_shape
from tane.services.orchestration.events import EVENTS
from tane.services.orchestration.operations import OPERATIONS
from tane.services.orchestration.policies import RULES
from tane.services.orchestration.reconcilers import RECONCILERS
from tane.services.orchestration.routes import ROUTES
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="orchestration",
    prefix="/orchestration",
    routes=ROUTES,
    rules=RULES,
    error_shape=error_shape,
    operations=OPERATIONS,
    reconcilers=RECONCILERS,
    forbidden="You are not authorized to complete this action.",
    catalog=(CatalogEntry("orchestration", "heat", "/orchestration/v1/$(project_id)s"),),
    counted=(("stacks", "stack WHERE NOT deleted"),),
    events=EVENTS,
)
