"""Image (Glance v2)."""

from tane.services.image.events import EVENTS
from tane.services.image.held import HOLDS
from tane.services.image.operations import OPERATIONS
from tane.services.image.policies import RULES
from tane.services.image.reconcilers import RECONCILERS
from tane.services.image.routes import ROUTES
from tane.web.errors import image_shape
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="image",
    prefix="/image",
    routes=ROUTES,
    rules=RULES,
    error_shape=image_shape,
    operations=OPERATIONS,
    reconcilers=RECONCILERS,
    forbidden="You are not authorized to complete {rule} action.",
    strict_paths=True,
    error_pages=True,
    catalog=(CatalogEntry("image", "glance", "/image"),),
    counted=(("images", "image"),),
    events=EVENTS,
    holds=HOLDS,
)
