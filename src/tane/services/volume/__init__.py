"""Block storage (Cinder v3)."""

from tane.web.errors import compute_shape
from tane.web.routes import Service

SERVICE = Service(
    name="volume",
    prefix="/volume",
    routes=(),
    rules=(),
    error_shape=compute_shape,
)
