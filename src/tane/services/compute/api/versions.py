"""Version documents, as clients' discovery reads them (Compute API: "API versions")."""

from __future__ import annotations

from typing import Any

from tane.services.compute.api.common import root
from tane.web.request import Request
from tane.web.versions import Microversions

MICROVERSIONS = Microversions("compute", (2, 1), (2, 96), legacy_header="X-OpenStack-Nova-API-Version")


def _entry(request: Request, path: str) -> dict[str, Any]:
    top = ".".join(map(str, MICROVERSIONS.maximum))
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": top,
        "min_version": "2.1",
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{request.service_url}{path}"}],
    }


def _detailed(entry: dict[str, Any], kind: str) -> dict[str, Any]:
    described = {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"}
    media = {"base": "application/json", "type": f"application/vnd.openstack.compute+json;version={kind}"}
    return {**entry, "links": [*entry["links"], described], "media-types": [media]}


def index(request: Request) -> dict[str, Any]:
    """The choices; v2.0 stands first as in every Nova, and means v2.1 without microversions."""
    return {"versions": [_entry_of_2_0(request), _entry(request, "/v2.1/")]}


def _entry_of_2_0(request: Request) -> dict[str, Any]:
    return {
        "id": "v2.0",
        "status": "SUPPORTED",
        "version": "",
        "min_version": "",
        "updated": "2011-01-21T11:33:21Z",
        "links": [{"rel": "self", "href": f"{request.service_url}/v2/"}],
    }


def show(request: Request) -> dict[str, Any]:
    if root(request) == "/v2":
        return {"version": _detailed(_entry_of_2_0(request), "2")}
    return {"version": _detailed(_entry(request, "/v2.1/"), "2.1")}
