"""Microversions as clients ask for them."""

from __future__ import annotations

import pytest

from tane.web.errors import BadRequest, NotAcceptable
from tane.web.versions import Microversions, trim

COMPUTE = Microversions("compute", (2, 1), (2, 90), legacy_header="X-OpenStack-Nova-API-Version")


@pytest.mark.parametrize(
    ("headers", "spoken"),
    [
        ({}, (2, 1)),
        ({"openstack-api-version": "compute 2.53"}, (2, 53)),
        ({"openstack-api-version": "volume 3.1, compute 2.53"}, (2, 53)),
        ({"openstack-api-version": "volume 3.1"}, (2, 1)),
        ({"x-openstack-nova-api-version": "2.60"}, (2, 60)),
        ({"openstack-api-version": "compute latest"}, (2, 90)),
    ],
)
def test_the_version_asked_for_is_spoken(headers: dict[str, str], spoken: tuple[int, int]) -> None:
    assert COMPUTE.negotiate(headers) == spoken


def test_versions_out_of_range_and_malformed_ones_are_refused() -> None:
    with pytest.raises(NotAcceptable, match=r"Minimum is 2\.1 and maximum is 2\.90"):
        COMPUTE.negotiate({"openstack-api-version": "compute 2.91"})
    with pytest.raises(BadRequest):
        COMPUTE.negotiate({"openstack-api-version": "compute two"})


def test_a_view_holds_only_what_the_version_knows() -> None:
    view = {"id": 1, "tags": []}
    assert trim(dict(view), {"tags": "2.26"}, (2, 25)) == {"id": 1}
    assert trim(dict(view), {"tags": "2.26"}, (2, 26)) == view
