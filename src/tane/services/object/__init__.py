"""Object storage: Swift's API (v1), and S3's on the same objects."""

import secrets
import time

from tane.services.object.api.headers import error_document
from tane.services.object.api.s3 import calls as s3
from tane.services.object.domain.s3.errors import known
from tane.services.object.interface import held
from tane.services.object.policies import RULES
from tane.services.object.reconcilers import RECONCILERS
from tane.services.object.routes import AT_ROOT, ROUTES, S3_ROUTES
from tane.web.errors import identity_shape
from tane.web.routes import CatalogEntry, Service


def _transaction_id() -> str:
    """Swift's form: when it began is in it."""
    return f"tx{secrets.token_hex(11)[:21]}-{int(time.time()):010x}"


SERVICE = Service(
    name="object",
    types=("object-store",),
    prefix="/object-store",
    routes=ROUTES,
    rules=RULES,
    error_shape=identity_shape,
    error_document=error_document,
    reconcilers=RECONCILERS,
    holds_apart=held,
    raw_paths=True,
    own_admission=True,
    at_root=AT_ROOT,
    request_id=_transaction_id,
    extra_request_id_headers=("X-Trans-Id",),
    catalog=(CatalogEntry("object-store", "swift", "/object-store/v1/AUTH_$(project_id)s"),),
)

S3 = Service(
    name="s3",
    prefix=s3.PREFIX,
    routes=S3_ROUTES,
    rules=RULES,
    error_shape=identity_shape,
    error_document=s3.error_document,
    known_errors=known,
    raw_paths=True,
    own_admission=True,
    request_id=_transaction_id,
    extra_request_id_headers=("x-amz-request-id", "x-amz-id-2"),
    catalog=(CatalogEntry("s3", "s3", s3.PREFIX),),
    domain=lambda config: config.object.s3_domain,
)
"""It shares all of that service but how it is asked."""
