"""HTTP: route tables, request context, microversions, errors, paging, policy. Knows no service."""

from tane.web.context import Context
from tane.web.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    NotImplementedHere,
    OverLimit,
    TooLarge,
    Unauthorized,
)
from tane.web.request import Request, Response
from tane.web.routes import Route, Service
from tane.web.versions import Microversions, version

__all__ = [
    "ApiError",
    "BadRequest",
    "Conflict",
    "Context",
    "Forbidden",
    "Microversions",
    "NotFound",
    "NotImplementedHere",
    "OverLimit",
    "Request",
    "Response",
    "Route",
    "Service",
    "TooLarge",
    "Unauthorized",
    "version",
]
