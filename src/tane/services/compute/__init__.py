"""Compute (Nova v2.1)."""

from tane.services.compute.api.versions import MICROVERSIONS
from tane.services.compute.checks import CHECKS
from tane.services.compute.events import EVENTS
from tane.services.compute.held import HOLDS
from tane.services.compute.operations import OPERATIONS
from tane.services.compute.policies import RULES
from tane.services.compute.reconcilers import RECONCILERS
from tane.services.compute.routes import ROUTES, WEB_SOCKETS
from tane.web.errors import compute_shape
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="compute",
    prefix="/compute",
    routes=ROUTES,
    rules=RULES,
    error_shape=compute_shape,
    microversions=MICROVERSIONS,
    operations=OPERATIONS,
    reconcilers=RECONCILERS,
    web_sockets=WEB_SOCKETS,
    strict_paths=True,
    extra_request_id_headers=("x-compute-request-id",),
    aliases=(("/v2", "/v2.1"),),
    catalog=(CatalogEntry("compute", "nova", "/compute/v2.1"),),
    counted=(("servers", "server WHERE NOT deleted"),),
    checks=CHECKS,
    events=EVENTS,
    holds=HOLDS,
)
