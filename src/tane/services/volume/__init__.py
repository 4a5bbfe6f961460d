"""Block storage (Cinder v3)."""

from tane.services.volume.api.infrastructure import VERSIONS
from tane.services.volume.checks import CHECKS
from tane.services.volume.events import EVENTS
from tane.services.volume.held import HOLDS
from tane.services.volume.operations import OPERATIONS
from tane.services.volume.policies import RULES
from tane.services.volume.reconcilers import RECONCILERS
from tane.services.volume.routes import ROUTES
from tane.web.errors import compute_shape
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="volume",
    types=("volumev3", "block-storage", "block-store", "volume"),
    prefix="/volume",
    routes=ROUTES,
    rules=RULES,
    error_shape=compute_shape,
    microversions=VERSIONS,
    operations=OPERATIONS,
    reconcilers=RECONCILERS,
    strict_paths=True,
    aliases=(("/v3", "/v3/{project_id}"),),
    catalog=(
        CatalogEntry("volumev3", "cinderv3", "/volume/v3/$(project_id)s"),
        CatalogEntry("block-storage", "cinder", "/volume/v3/$(project_id)s"),
    ),
    counted=(("volumes", "volume"),),
    checks=CHECKS,
    events=EVENTS,
    holds=HOLDS,
)
