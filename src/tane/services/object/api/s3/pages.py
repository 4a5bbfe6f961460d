"""What pages of other origins may do with a bucket: by its CORS rules.

Source: Amazon S3 User Guide, "Using cross-origin resource sharing (CORS)".
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tane.db.documents import load
from tane.web.request import Request

MOST_HEADERS = 100


class Rule(msgspec.Struct, frozen=True):
    """Of pages of other origins: from where, what, with which headers, and what they may see."""

    origins: list[str]
    methods: list[str]
    headers: list[str]
    exposed: list[str]
    max_age: int | None = None
    id: str = ""

    def fits(self, origin: str, method: str, headers: list[str]) -> bool:
        return (
            any(_matches(origin, one) for one in self.origins)
            and method in self.methods
            and all(any(_matches(name.lower(), one.lower()) for one in self.headers) for name in headers)
        )


def _matches(text: str, pattern: str) -> bool:
    """With one "*" at most, which stands for anything."""
    before, star, after = pattern.partition("*")
    if not star:
        return text == pattern
    return len(text) >= len(before) + len(after) and text.startswith(before) and text.endswith(after)


def rules_of(meta: Mapping[str, str]) -> list[Rule]:
    return msgspec.convert(load(meta["s3-cors"]), list[Rule]) if "s3-cors" in meta else []


def shown_to(request: Request, meta: Mapping[str, str], method: str, headers: list[str]) -> dict[str, str]:
    """The headers that let a page of another origin see an answer; none where no rule does."""
    origin = request.headers.get("origin")
    if origin is None or "s3-cors" not in meta or len(headers) > MOST_HEADERS:
        return {}
    for rule in rules_of(meta):
        if rule.fits(origin, method, headers):
            found = {
                "Access-Control-Allow-Origin": "*" if rule.origins == ["*"] else origin,
                "Access-Control-Allow-Methods": ", ".join(rule.methods),
                "Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
            }
            if headers:
                found["Access-Control-Allow-Headers"] = ", ".join(headers)
            if rule.exposed:
                found["Access-Control-Expose-Headers"] = ", ".join(rule.exposed)
            if rule.max_age is not None:
                found["Access-Control-Max-Age"] = str(rule.max_age)
            return found
    return {}
