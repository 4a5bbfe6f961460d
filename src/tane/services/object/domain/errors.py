"""Errors of Swift that the house has no class for."""

from __future__ import annotations

from collections.abc import Mapping

from tane.web.errors import ApiError, Forbidden


class Detailed(ApiError):
    """With headers of its own. ``content_type``: of the answer; none for the usual one."""

    def __init__(self, message: str, headers: Mapping[str, str] | None = None, content_type: str = "") -> None:
        super().__init__(message)
        self.headers = headers or {}
        self.content_type = content_type


class NameTooLong(Detailed):
    """Of a container or an account: told as a page, as the real service does."""

    status = 400
    title = "Bad Request"


class LengthRequired(ApiError):
    status = 411
    title = "Length Required"


class Unprocessable(ApiError):
    status = 422
    title = "Unprocessable Entity"


class ClientDisconnect(ApiError):
    status = 499
    title = "Client Disconnect"


class TooManyContainers(Forbidden):
    """As Swift says it."""

    def __init__(self, most: int) -> None:
        super().__init__(f"Reached container limit of {most}")


class InsufficientStorage(ApiError):
    status = 507
    title = "Insufficient Storage"


class ObjectNotFound(Detailed):
    status = 404
    title = "Not Found"


class Unsatisfiable(Detailed):
    status = 416
    title = "Requested Range Not Satisfiable"


class Failed(Detailed):
    """A condition of the request does not hold."""

    status = 412
    title = "Precondition Failed"


class Conflicting(Detailed):
    status = 409
    title = "Conflict"


class Redirected(Detailed):
    status = 307
    title = "Temporary Redirect"


class SeeOther(Detailed):
    status = 303
    title = "See Other"


class Moved(Detailed):
    status = 301
    title = "Moved Permanently"


TEXTS = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    401: "This server could not verify that you are authorized to access the document you requested.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    405: "The method is not allowed for this resource.",
    406: "The resource is not available in a format acceptable to your browser.",
    409: "There was a conflict when trying to complete your request.",
    411: "Content-Length header required.",
    412: "A precondition for this request was not met.",
    413: "The body of your request was too large for this server.",
    416: "The Range requested is not available.",
    422: "Unable to process the contained instructions",
    499: "The client was disconnected during request.",
    507: "There was not enough space to save the resource.",
}
