"""Version documents, as clients' discovery reads them (Compute API: "API versions")."""

from __future__ import annotations

from typing import Any

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
    entry = _entry(request, "/v2.1/")
    entry["links"].append({"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"})
    entry["media-types"] = [{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}]
    return {"version": entry}
