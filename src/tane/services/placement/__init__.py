"""Placement: what hosts have and what is claimed of it."""

from tane.services.placement.api.common import MICROVERSIONS, error_shape
from tane.services.placement.policies import RULES
from tane.services.placement.routes import ROUTES
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="placement",
    prefix="/placement",
    routes=ROUTES,
    rules=RULES,
    error_shape=error_shape,
    microversions=MICROVERSIONS,
    strict_paths=True,
    catalog=(CatalogEntry("placement", "placement", "/placement"),),
)
