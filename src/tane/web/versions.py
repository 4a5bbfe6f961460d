"""Microversions: which one a request asks for and what it means for a route, a body and a view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tane.web.errors import BadRequest, NotAcceptable

Version = tuple[int, int]


def version(text: str) -> Version:
    """ "2.19" → (2, 19). :raises ValueError: when it is not of that form."""
    major, _, minor = text.partition(".")
    return int(major), int(minor)


@dataclass(frozen=True)
class Microversions:
    """The range a service speaks. ``service_type`` is the word in ``OpenStack-API-Version``; ``legacy_header`` an older
    header of the same meaning (without the word)."""

    service_type: str
    minimum: Version
    maximum: Version
    legacy_header: str = ""

    def negotiate(self, headers: Mapping[str, str]) -> Version:
        """The version a request asks for; the minimum when it asks for none.

        :raises BadRequest: malformed. :raises NotAcceptable: outside the range (406, as the API guidelines say).
        """
        asked = ""
        for part in headers.get("openstack-api-version", "").split(","):
            words = part.split()
            if len(words) == 2 and words[0].lower() == self.service_type:
                asked = words[1]
        asked = asked or (headers.get(self.legacy_header.lower(), "") if self.legacy_header else "")
        if not asked:
            return self.minimum
        if asked.lower() == "latest":
            return self.maximum
        try:
            wanted = version(asked)
        except ValueError:
            raise BadRequest(
                f"API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum."
            ) from None
        if not self.minimum <= wanted <= self.maximum:
            low, high = (".".join(map(str, v)) for v in (self.minimum, self.maximum))
            raise NotAcceptable(f"Version {asked} is not supported by the API. Minimum is {low} and maximum is {high}.")
        return wanted

    def headers(self, spoken: Version) -> dict[str, str]:
        """The response headers that echo the version."""
        text = ".".join(map(str, spoken))
        echoed = {"OpenStack-API-Version": f"{self.service_type} {text}", "Vary": "OpenStack-API-Version"}
        if self.legacy_header:
            echoed[self.legacy_header] = text
            echoed["Vary"] = f"OpenStack-API-Version, {self.legacy_header}"
        return echoed


def trim(view: dict[str, Any], since: Mapping[str, str], spoken: Version) -> dict[str, Any]:
    """Drop from ``view`` the fields that ``since`` says came with a later version than ``spoken``."""
    for name, came in since.items():
        if name in view and spoken < version(came):
            del view[name]
    return view
