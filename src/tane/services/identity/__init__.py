"""Identity (Keystone v3)."""

from tane.services.identity.api.targets import target
from tane.services.identity.events import EVENTS
from tane.services.identity.policies import RULES
from tane.services.identity.reconcilers import RECONCILERS
from tane.services.identity.routes import ROUTES
from tane.web.errors import identity_shape
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="identity",
    prefix="/identity",
    routes=ROUTES,
    rules=RULES,
    reconcilers=RECONCILERS,
    target=target,
    error_shape=identity_shape,
    forbidden="You are not authorized to perform the requested action: {rule}.",
    catalog=(CatalogEntry("identity", "keystone", "/identity"),),
    counted=(("projects", "project"),),
    events=EVENTS,
)
