"""Image (Glance v2)."""

from tane.web.errors import image_shape
from tane.web.routes import Service

SERVICE = Service(
    name="image",
    prefix="/image",
    routes=(),
    rules=(),
    error_shape=image_shape,
)
