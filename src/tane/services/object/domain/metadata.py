"""What headers of resources may say: names, sizes, and how a change meets what is there.

Source: Swift's swift.common.constraints as /info tells it, and the API reference, "Object Storage API".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tane.web.errors import BadRequest, TooLarge

MAX_FILE_SIZE = 5 * (1 << 30) + 2
MAX_META_NAME_LENGTH = 128
MAX_META_VALUE_LENGTH = 256
MAX_META_COUNT = 90
MAX_META_OVERALL_SIZE = 4096
MAX_HEADER_SIZE = 8192
MAX_OBJECT_NAME_LENGTH = 1024
MAX_CONTAINER_NAME_LENGTH = 256
MAX_ACCOUNT_NAME_LENGTH = 256
MAX_TYPE_LENGTH = 1024
LISTING_LIMIT = 10_000
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header may have."""
KEPT = ("content-disposition", "content-encoding", "content-language", "cache-control", "expires", "x-robots-tag")
"""Headers of an object that are kept beside its metadata."""
OWN = "s3-"
"""How names begin of what S3 keeps beside the metadata, and no header of Swift's shows or sets."""


def decoded(value: str) -> str:
    """A header's value, which HTTP carries as bytes. :raises BadRequest: it is no UTF-8."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        raise BadRequest("Metadata must be valid UTF-8") from None


def carried(value: str) -> str:
    """The same back: what goes into a header."""
    return value if value.isascii() else value.encode().decode("latin-1")


def given(headers: Mapping[str, str], kind: str) -> dict[str, str]:
    """The ``X-<kind>-Meta-…`` headers of a request, checked; those with an empty value and those that are to be removed
    (``X-Remove-…``) with an empty value.

    :raises BadRequest: over a limit. :raises TooLarge:
    """
    prefix, remove = f"x-{kind}-meta-", f"x-remove-{kind}-meta-"
    found: dict[str, str] = {}
    for name, value in headers.items():
        if not name.startswith("x-"):
            continue
        if len(value) > MAX_HEADER_SIZE:
            raise BadRequest(f"Header value too long: {name[:MAX_META_NAME_LENGTH]}")
        if name.startswith(remove):
            found.setdefault(prefix + name.removeprefix(remove), "")
        elif name.startswith(prefix):
            check_name(name.removeprefix(prefix), value)
            found[name] = decoded(value)
    check_all({name: value for name, value in found.items() if value}, prefix)
    return found


def check_name(name: str, value: str) -> None:
    if not name:
        raise BadRequest("Metadata name cannot be empty")
    if len(name) > MAX_META_NAME_LENGTH:
        raise BadRequest(f"Metadata name too long: {name[:MAX_META_NAME_LENGTH]}")
    if len(value) > MAX_META_VALUE_LENGTH:
        raise BadRequest(f"Metadata value longer than {MAX_META_VALUE_LENGTH}: {name}")


def check_type(content_type: str) -> None:
    """:raises BadRequest: it could not be said in a header, or would make listings long."""
    if len(content_type) > MAX_TYPE_LENGTH or CONTROL.search(content_type):
        raise BadRequest("Invalid Content-Type")


def check_all(meta: Mapping[str, str], prefix: str) -> None:
    """:raises BadRequest: what a resource would have together is too much."""
    own = {name.removeprefix(prefix): value for name, value in meta.items() if name.startswith(prefix)}
    if len(own) > MAX_META_COUNT:
        raise BadRequest(f"Too many metadata items; max {MAX_META_COUNT}")
    if sum(len(name) + len(value.encode()) for name, value in own.items()) > MAX_META_OVERALL_SIZE:
        raise BadRequest(f"Total metadata too large; max {MAX_META_OVERALL_SIZE}")


def merged(old: Mapping[str, str], changes: Mapping[str, str], kind: str) -> dict[str, str]:
    """Of accounts and containers: what is not named stays, what is empty goes. :raises BadRequest: over a limit."""
    both = {name: value for name, value in {**old, **changes}.items() if value}
    check_all(both, f"x-{kind}-meta-")
    return both


def without_own(meta: Mapping[str, str]) -> dict[str, str]:
    """Metadata without what S3 keeps beside it."""
    return {name: value for name, value in meta.items() if not name.startswith(OWN)}


def check_size(length: int | None) -> None:
    """:raises TooLarge:"""
    if length is not None and length > MAX_FILE_SIZE:
        raise TooLarge("Your request is too large.")
