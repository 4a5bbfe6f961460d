"""Hosts (Tane's own): how machines join the cloud, which there are, and how they leave it."""

from tane.services.host.checks import CHECKS
from tane.services.host.policies import RULES
from tane.services.host.routes import ROUTES
from tane.web.errors import compute_shape
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="host",
    prefix="/hosts",
    routes=ROUTES,
    rules=RULES,
    error_shape=compute_shape,
    checks=CHECKS,
    catalog=(CatalogEntry("host", "tane-hosts", "/hosts"),),
)
