"""Errors as S3 tells them, and which ones those of the rest of object storage are.

Source: Amazon S3 API Reference, "Error responses".
"""

from __future__ import annotations

from collections.abc import Mapping

from tane.services.object.domain.errors import TooManyContainers
from tane.services.object.domain.locks import Held
from tane.services.object.domain.room import OVER
from tane.web.errors import ApiError, Busy, PreconditionFailed

STATUSES = {
    "AccessDenied": 403,
    "AuthorizationHeaderMalformed": 400,
    "AuthorizationQueryParametersError": 400,
    "BadDigest": 400,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "IncompleteBody": 400,
    "InvalidAccessKeyId": 403,
    "InvalidBucketState": 409,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidChunkSizeError": 403,
    "InvalidDigest": 400,
    "InvalidPart": 400,
    "InvalidPartNumber": 416,
    "InvalidPartOrder": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "InvalidTag": 400,
    "InvalidTargetBucketForLogging": 400,
    "InvalidURI": 400,
    "KeyTooLongError": 400,
    "MalformedACLError": 400,
    "MalformedTrailerError": 400,
    "MalformedXML": 400,
    "MetadataTooLarge": 400,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "MissingRequestBodyError": 400,
    "MissingSecurityHeader": 400,
    "NoSuchBucket": 404,
    "MalformedPolicy": 400,
    "NoSuchBucketPolicy": 404,
    "NoSuchCORSConfiguration": 404,
    "NoSuchKey": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchObjectLockConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NotImplemented": 501,
    "ObjectLockConfigurationNotFoundError": 404,
    "OperationAborted": 409,
    "PreconditionFailed": 412,
    "QuotaExceeded": 403,
    "RequestTimeTooSkewed": 403,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
    "TooManyBuckets": 400,
    "UserKeyMustBeSpecified": 400,
    "XAmzContentSHA256Mismatch": 400,
}
TERMINATED = "The request body terminated unexpectedly"
TEXTS = {
    "InvalidURI": "Couldn't parse the specified URI.",
    "AccessDenied": "Access Denied",
    "BadDigest": "The Content-MD5 you specified did not match what we received.",
    "BucketAlreadyOwnedByYou": "Your previous request to create the named bucket succeeded and you already own it.",
    "BucketNotEmpty": "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
    "EntityTooLarge": "Your proposed upload exceeds the maximum allowed size.",
    "EntityTooSmall": "Your proposed upload is smaller than the minimum allowed size.",
    "IncompleteBody": "You did not provide the number of bytes specified by the Content-Length HTTP header",
    "InvalidAccessKeyId": "The access key ID you provided does not exist in our records.",
    "InvalidBucketName": "The specified bucket is not valid.",
    "InvalidChunkSizeError": "Only the last chunk is allowed to have a size less than 8192 bytes",
    "InvalidDigest": "The Content-MD5 you specified was invalid.",
    "InvalidPart": "One or more of the specified parts could not be found.  The part may not have been uploaded, or "
    "the specified entity tag may not match the part's entity tag.",
    "InvalidPartNumber": "The requested partnumber is not satisfiable",
    "InvalidPartOrder": "The list of parts was not in ascending order. Parts must be ordered by part number.",
    "InvalidRange": "The requested range is not satisfiable.",
    "KeyTooLongError": "Your key is too long.",
    "MalformedACLError": "The ACL that you provided was not well formed or did not validate against our published "
    "schema.",
    "MalformedXML": "The XML you provided was not well-formed or did not validate against our published schema",
    "MalformedTrailerError": "The request contained trailing data that was not well-formed or did not conform to our "
    "published schema.",
    "MetadataTooLarge": "Your metadata headers exceed the maximum allowed metadata size.",
    "MethodNotAllowed": "The specified method is not allowed against this resource.",
    "MissingContentLength": "You must provide the Content-Length HTTP header.",
    "MissingRequestBodyError": "Request body is empty.",
    "NoSuchBucket": "The specified bucket does not exist.",
    "NoSuchBucketPolicy": "The bucket policy does not exist",
    "NoSuchLifecycleConfiguration": "The lifecycle configuration does not exist",
    "NoSuchObjectLockConfiguration": "The specified object does not have a ObjectLock configuration",
    "NoSuchCORSConfiguration": "The CORS configuration does not exist.",
    "NoSuchKey": "The specified key does not exist.",
    "NoSuchTagSet": "The TagSet does not exist.",
    "NoSuchUpload": "The specified multipart upload does not exist. The upload ID might be invalid, or the multipart "
    "upload might have been aborted or completed.",
    "NoSuchVersion": "The specified version does not exist.",
    "ObjectLockConfigurationNotFoundError": "Object Lock configuration does not exist for this bucket",
    "OperationAborted": "A conflicting operation is currently in progress against this resource. Try again.",
    "TooManyBuckets": "You have attempted to create more buckets than allowed",
    "PreconditionFailed": "At least one of the preconditions you specified did not hold.",
    "RequestTimeTooSkewed": "The difference between the request time and the server's time is too large.",
    "SignatureDoesNotMatch": "The request signature we calculated does not match the signature you provided. Check "
    "your key and signing method.",
    "SlowDown": "Please reduce your request rate.",
    "UserKeyMustBeSpecified": "The bucket POST must contain the specified field name. If it is specified, check the "
    "order of the fields.",
    "XAmzContentSHA256Mismatch": "The provided 'x-amz-content-sha256' header does not match what was computed.",
}


class S3Error(ApiError):
    """``code``: one of :data:`STATUSES`. ``details``: further elements of its document."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or TEXTS.get(code, code), type=code)
        self.code = code
        self.status = STATUSES[code]
        self.title = code
        self.headers = headers or {}
        self.details = details or {}


BY_STATUS = {
    400: "InvalidArgument",
    401: "AccessDenied",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    409: "OperationAborted",
    411: "MissingContentLength",
    412: "PreconditionFailed",
    413: "EntityTooLarge",
    416: "InvalidRange",
    422: "BadDigest",
    499: "IncompleteBody",
    501: "NotImplemented",
    503: "ServiceUnavailable",
}
OWN_WORDS = (400, 409, 413, 501, 503)
"""Statuses of which the message says more than S3's own."""


def known(error: ApiError) -> ApiError:
    """An error of the rest of object storage as one of S3; what S3 has no word for stays as it is."""
    code = BY_STATUS.get(error.status)
    if isinstance(error, S3Error) or code is None:
        return error
    if isinstance(error, PreconditionFailed):
        # An address that is no UTF-8, or has a NUL; a condition that does not hold is a Failed.
        code = "InvalidURI"
    if isinstance(error, Held):
        return S3Error("AccessDenied", error.message)
    if isinstance(error, TooManyContainers):
        code = "TooManyBuckets"
    if isinstance(error, Busy):
        code = "SlowDown"
    told = {"x-amz-delete-marker": "true"} if error.status == 404 and "X-Object-Version-Id" in error.headers else {}
    if version := error.headers.get("X-Object-Version-Id"):
        told["x-amz-version-id"] = version
    kept = {name: value for name, value in error.headers.items() if name in ("Content-Range", "Retry-After", "Allow")}
    if error.status == 413 and error.message == OVER:
        code = "QuotaExceeded"
    return S3Error(code, error.message if error.status in OWN_WORDS else "", headers={**kept, **told})
