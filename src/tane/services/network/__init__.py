"""Network (Neutron v2.0)."""

from tane.services.network.checks import CHECKS
from tane.services.network.events import EVENTS
from tane.services.network.held import HOLDS
from tane.services.network.policies import RULES
from tane.services.network.reconcilers import RECONCILERS
from tane.services.network.routes import ROUTES
from tane.web.errors import network_shape
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="network",
    prefix="/network",
    routes=ROUTES,
    rules=RULES,
    error_shape=network_shape,
    reconcilers=RECONCILERS,
    forbidden="rule:{rule} is disallowed by policy",
    catalog=(CatalogEntry("network", "neutron", "/network"),),
    counted=(("networks", "network"),),
    checks=CHECKS,
    events=EVENTS,
    holds=HOLDS,
)
