"""Compute (Nova v2.1)."""

from tane.web.errors import compute_shape
from tane.web.routes import Service

SERVICE = Service(
    name="compute",
    prefix="/compute",
    routes=(),
    rules=(),
    error_shape=compute_shape,
)
