"""Alarms (Aodh v2): thresholds over what is measured, and events, with what is to be done then."""

from tane.services.alarm.domain.errors import shape
from tane.services.alarm.events import EVENTS
from tane.services.alarm.held import HOLDS
from tane.services.alarm.operations import OPERATIONS
from tane.services.alarm.policies import RULES
from tane.services.alarm.reconcilers import RECONCILERS
from tane.services.alarm.routes import ROUTES
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="alarm",
    types=("alarming",),
    prefix="/alarm",
    routes=ROUTES,
    rules=RULES,
    error_shape=shape,
    loose_paths=True,
    operations=OPERATIONS,
    reconcilers=RECONCILERS,
    events=EVENTS,
    holds=HOLDS,
    counted=(("alarms", "alarm"),),
    catalog=(CatalogEntry("alarming", "aodh", "/alarm"),),
)
