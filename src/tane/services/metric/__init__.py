"""Metrics (Gnocchi v1): what is measured of servers, volumes, networks, images, containers and hosts."""

from tane.services.metric.domain.access import DENIED
from tane.services.metric.domain.errors import shape
from tane.services.metric.policies import PROMETHEUS_RULES, RULES
from tane.services.metric.reconcilers import RECONCILERS
from tane.services.metric.routes import PROMETHEUS_ROUTES, ROUTES
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="metric",
    prefix="/metric",
    routes=ROUTES,
    rules=RULES,
    error_shape=shape,
    loose_paths=True,
    forbidden=DENIED,
    reconcilers=RECONCILERS,
    catalog=(CatalogEntry("metric", "gnocchi", "/metric"),),
)

PROMETHEUS = Service(
    name="prometheus",
    prefix="/metrics",
    routes=PROMETHEUS_ROUTES,
    rules=PROMETHEUS_RULES,
    error_shape=shape,
    own_admission=True,
    loose_paths=True,
)
"""The same, as Prometheus reads it."""
