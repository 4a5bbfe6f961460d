"""Network (Neutron v2.0)."""

from tane.web.errors import network_shape
from tane.web.routes import Service

SERVICE = Service(
    name="network",
    prefix="/network",
    routes=(),
    rules=(),
    error_shape=network_shape,
)
