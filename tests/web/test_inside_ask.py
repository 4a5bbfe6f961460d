"""Calls of the cloud's own API from inside it are what requests of the same user from outside are."""

from __future__ import annotations

import pytest

from tane.services.identity import interface as identity
from tane.web import inside
from tane.web.access import AccessRule
from tane.web.context import Context
from tane.web.errors import BadRequest, Forbidden, NotFound
from tests.api.compute_support import make_image
from tests.support import ApiCloud, Caller


def context(cloud: ApiCloud, caller: Caller) -> Context:
    return identity.authenticate(cloud.core, caller.token, "req-1")


def test_every_kind_of_route_can_be_asked_and_policy_holds(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    ctx, core = context(cloud, mia), cloud.core
    plain = cloud.wait(inside.ask(core, ctx, "network", "POST", "/v2.0/networks", {"network": {"name": "bed"}}))
    assert plain.body["network"]["name"] == "bed"
    image = make_image(mia, "seed")
    waits = cloud.wait(inside.ask(core, ctx, "image", "GET", f"/v2/images/{image}/file"))
    assert waits.file is not None or waits.stream is not None
    cloud.wait(waits.close())
    account = inside.part(f"AUTH_{mia.project_id}")
    made = cloud.wait(inside.ask(core, ctx, "object", "PUT", f"/v1/{account}/{inside.part('a b')}"))
    assert made.status == 201
    mia.get(f"/object-store/v1/AUTH_{mia.project_id}/a%20b", expect=200)
    with pytest.raises(Forbidden):
        cloud.wait(inside.ask(core, ctx, "host", "DELETE", "/00000000-0000-0000-0000-000000000000"))
    with pytest.raises(BadRequest):
        cloud.wait(inside.ask(core, ctx, "network", "POST", "/v2.0/networks", {"network": {"nome": "bed"}}))
    with pytest.raises(NotFound):
        cloud.wait(inside.ask(core, ctx, "network", "GET", "/v2.0/nothing"))


def test_what_a_page_shows_is_asked_of_the_rules_of_the_call(cloud: ApiCloud) -> None:
    mia, ria = cloud.new_user("mia", "garden"), cloud.new_user("ria", "garden", "reader")
    for caller, makes, grants in ((mia, True, False), (ria, False, False), (cloud.admin, True, True)):
        ctx = context(cloud, caller)
        assert inside.may(cloud.core, ctx, "network", "GET", "/v2.0/networks")
        assert inside.may(cloud.core, ctx, "network", "POST", "/v2.0/networks") is makes
        assert inside.may(cloud.core, ctx, "compute", "POST", "/v2.1/servers/0/action", {"os-stop": None}) is makes
        assert inside.may(cloud.core, ctx, "identity", "PATCH", "/v3/roles/0") is grants
        assert not inside.may(cloud.core, ctx, "network", "GET", "/v2.0/nothing")


def test_access_rules_of_a_credential_shut_the_inside_as_well(cloud: ApiCloud) -> None:
    import dataclasses

    ctx = context(cloud, cloud.new_user("mia", "garden"))
    ctx = dataclasses.replace(ctx, access_rules=(AccessRule("network", "GET", "/v2.0/networks"),))
    assert inside.may(cloud.core, ctx, "network", "GET", "/v2.0/networks")
    assert not inside.may(cloud.core, ctx, "network", "GET", "/v2.0/ports")
    with pytest.raises(Forbidden, match="access rules"):
        cloud.wait(inside.ask(cloud.core, ctx, "network", "GET", "/v2.0/ports"))
