"""What handlers and domain functions raise to answer an error; each service gives it its own JSON shape."""

from __future__ import annotations

from collections.abc import Mapping


class ApiError(Exception):
    """An error the client is told. ``type`` names it where the service's error shape has such a field (Neutron)."""

    status = 500
    title = "Internal Server Error"
    headers: Mapping[str, str] = {}
    body: Mapping[str, object] | None = None
    """Takes the place of the service's error shape where an error has a document of its own."""

    def __init__(self, message: str, *, type: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.type = type or self.__class__.__name__


class BadRequest(ApiError):
    status = 400
    title = "Bad Request"


class Unauthorized(ApiError):
    status = 401
    title = "Unauthorized"


class Forbidden(ApiError):
    status = 403
    title = "Forbidden"


class NotFound(ApiError):
    status = 404
    title = "Not Found"


class MethodNotAllowed(ApiError):
    status = 405
    title = "Method Not Allowed"


class NotAcceptable(ApiError):
    status = 406
    title = "Not Acceptable"


class Conflict(ApiError):
    status = 409
    title = "Conflict"


class Gone(ApiError):
    status = 410
    title = "Gone"


class PreconditionFailed(ApiError):
    status = 412
    title = "Precondition Failed"


class TooLarge(ApiError):
    status = 413
    title = "Request Entity Too Large"


class OverLimit(ApiError):
    """Over quota where the service answers 413 (block storage), and that trying again may do at once."""

    status = 413
    title = "Over Limit"
    headers = {"Retry-After": "0"}


class UnsupportedMedia(ApiError):
    status = 415
    title = "Unsupported Media Type"


class RangeNotSatisfiable(ApiError):
    status = 416
    title = "Requested Range Not Satisfiable"


class NotImplementedHere(ApiError):
    """What Tane does not do yet; the message says what."""

    status = 501
    title = "Not Implemented"


class Unavailable(ApiError):
    status = 503
    title = "Service Unavailable"


class Busy(Unavailable):
    """What is asked for has no place now, since too much of it runs: the caller is told to come back."""

    headers: Mapping[str, str] = {"Retry-After": "2"}


def compute_shape(error: ApiError) -> dict[str, object]:
    """The error envelope of compute and block storage: ``{"badRequest": {"code": 400, "message": …}}``."""
    name = {
        400: "badRequest",
        401: "unauthorized",
        403: "forbidden",
        404: "itemNotFound",
        405: "badMethod",
        406: "notAcceptable",
        409: "conflictingRequest",
        413: "overLimit",
        415: "badMediaType",
        501: "notImplemented",
        503: "serviceUnavailable",
    }.get(error.status, "computeFault")
    fault: dict[str, object] = {"code": error.status, "message": error.message}
    if "Retry-After" in error.headers:
        fault["retryAfter"] = error.headers["Retry-After"]
    return {name: fault}


def identity_shape(error: ApiError) -> dict[str, object]:
    """The error envelope of identity: ``{"error": {"code", "title", "message"}}``."""
    return {"error": {"code": error.status, "title": error.title, "message": error.message}}


def network_shape(error: ApiError) -> dict[str, object]:
    """The error envelope of network: ``{"NeutronError": {"type", "message", "detail"}}``."""
    return {"NeutronError": {"type": error.type, "message": error.message, "detail": ""}}


def image_shape(error: ApiError) -> dict[str, object]:
    """The error body of image: ``{"code": "404 Not Found", "title", "message"}``."""
    return {"code": f"{error.status} {error.title}", "title": error.title, "message": error.message}
