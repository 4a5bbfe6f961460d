"""Errors as Heat's CloudFormation API tells them, and which ones those of its other API are.

Sources: Heat's documentation, "CloudFormation API"; AWS CloudFormation API Reference, "Common Errors".
"""

from __future__ import annotations

from tane.services.orchestration.domain.common import (
    ActionInProgress,
    InvalidTenant,
    RequestLimitExceeded,
    StackExists,
)
from tane.web.errors import ApiError, Forbidden, NotFound, NotImplementedHere, TooLarge, Unavailable

CODES = {
    "AccessDenied": (403, "User is not authorized to perform action"),
    "AlreadyExists": (400, "Resource with the name requested already exists"),
    "APINotImplemented": (501, "The requested action is not yet implemented"),
    "IncompleteSignature": (400, "The request signature does not conform to AWS standards"),
    "InternalFailure": (500, "The request processing has failed due to an internal error"),
    "InvalidAction": (400, "The action or operation requested is invalid"),
    "InvalidClientTokenId": (403, "The certificate or AWS Key ID provided does not exist"),
    "InvalidParameterCombination": (400, "Incompatible parameters were used together"),
    "InvalidParameterValue": (400, "A bad or out-of-range value was supplied"),
    "InvalidQueryParameter": (400, "AWS query string is malformed, does not adhere to AWS spec"),
    "MissingAction": (400, "The request is missing an action or operation parameter"),
    "MissingAuthenticationToken": (403, "Does not contain a valid AWS Access Key or certificate"),
    "MissingParameter": (400, "A mandatory input parameter is missing"),
    "RequestExpired": (400, "Request expired or more than 15mins in the future"),
    "RequestLimitExceeded": (400, "Payload size exceeded"),
    "ServiceUnavailable": (503, "Service temporarily unavailable"),
    "SignatureDoesNotMatch": (
        403,
        "The request signature we calculated does not match the signature you provided",
    ),
    "ValidationError": (400, "The input fails to satisfy the constraints"),
}
"""Status and explanation by the error's code."""
IN_PROGRESS = "Cannot perform action on stack while other actions are in progress"


class CfnError(ApiError):
    """``code``: one of :data:`CODES`; ``detail`` follows the explanation."""

    def __init__(self, code: str, detail: str = "", *, explanation: str = "") -> None:
        self.status, words = CODES[code]
        words = explanation or words
        super().__init__(f"{words}:{detail}" if detail else words, type=code)
        self.code, self.title = code, code

    @property
    def kind(self) -> str:
        """Whose fault it is."""
        return "Server" if self.status >= 500 else "Sender"


def known(error: ApiError) -> ApiError:
    """What an error of orchestration is here. What does not exist is told as Amazon's do, which programs wait for."""
    if isinstance(error, CfnError):
        return error
    if isinstance(error, ActionInProgress):
        return _with_headers(CfnError("InvalidAction", error.message, explanation=IN_PROGRESS), error)
    for kind, code in (
        (StackExists, "AlreadyExists"),
        ((RequestLimitExceeded, TooLarge), "RequestLimitExceeded"),
        ((Forbidden, InvalidTenant), "AccessDenied"),
        (NotFound, "ValidationError"),
        (NotImplementedHere, "APINotImplemented"),
        (Unavailable, "ServiceUnavailable"),
    ):
        if isinstance(error, kind):
            return _with_headers(CfnError(code, error.message), error)
    code = "InternalFailure" if error.status >= 500 else "InvalidParameterValue"
    return _with_headers(CfnError(code, error.message), error)


def _with_headers(found: CfnError, error: ApiError) -> CfnError:
    found.headers = error.headers
    return found
