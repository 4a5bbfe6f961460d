"""Rating (CloudKitty v1 and v2): what was used, what it costs, bills, budgets."""

from tane.services.rating.domain.errors import shape
from tane.services.rating.events import EVENTS
from tane.services.rating.policies import RULES
from tane.services.rating.reconcilers import RECONCILERS
from tane.services.rating.routes import ROUTES
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="rating",
    prefix="/rating",
    routes=ROUTES,
    rules=RULES,
    error_shape=shape,
    loose_paths=True,
    reconcilers=RECONCILERS,
    events=EVENTS,
    catalog=(CatalogEntry("rating", "cloudkitty", "/rating"),),
)
