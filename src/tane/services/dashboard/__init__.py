"""The portal: every page asks the API in process as the user who looks at it."""

from tane.services.dashboard.policies import RULES
from tane.services.dashboard.reconcilers import RECONCILERS
from tane.services.dashboard.routes import ROUTES
from tane.services.dashboard.tables import dashboard_session
from tane.web.errors import identity_shape
from tane.web.routes import Service

__all__ = ["SERVICE", "dashboard_session"]

SERVICE = Service(
    name="dashboard",
    prefix="/dashboard",
    routes=ROUTES,
    rules=RULES,
    error_shape=identity_shape,
    error_pages=True,
    reconcilers=RECONCILERS,
    own_admission=True,
    at_root=("/",),
)
