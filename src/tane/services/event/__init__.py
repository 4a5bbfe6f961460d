"""Events (Tane's own): what changed in the cloud, in order, as it happens."""

from tane.services.event.events import EVENTS
from tane.services.event.policies import RULES
from tane.services.event.reconcilers import RECONCILERS
from tane.services.event.routes import ROUTES
from tane.web.errors import compute_shape
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="event",
    prefix="/events",
    routes=ROUTES,
    rules=RULES,
    error_shape=compute_shape,
    reconcilers=RECONCILERS,
    catalog=(CatalogEntry("event", "tane-events", "/events"),),
    events=EVENTS,
)
