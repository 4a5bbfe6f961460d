"""Jobs (Tane's own): what the cloud does, step by step, and why it did not."""

from tane.services.job.policies import RULES
from tane.services.job.routes import ROUTES
from tane.web.errors import compute_shape
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="job",
    prefix="/jobs",
    routes=ROUTES,
    rules=RULES,
    error_shape=compute_shape,
    catalog=(CatalogEntry("job", "tane-jobs", "/jobs"),),
)
