"""A stack as a picture: its resources, how they are, and what depends on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tane.services.dashboard.api import commands, lists
from tane.services.dashboard.api.visit import Visit
from tane.services.dashboard.domain import forms, graphs, showing
from tane.services.dashboard.domain.describing import Column, Row
from tane.services.dashboard.domain.graphs import Node, Picture
from tane.services.dashboard.domain.showing import STATES
from tane.services.dashboard.resources import KINDS
from tane.web import inside
from tane.web.request import Response

MOST_LISTED = 1000
PAGES = {
    "OS::Nova::Server": "servers",
    "OS::Nova::KeyPair": "keypairs",
    "OS::Nova::ServerGroup": "server-groups",
    "OS::Nova::Flavor": "flavors",
    "OS::Cinder::Volume": "volumes",
    "OS::Glance::WebImage": "images",
    "OS::Neutron::Net": "networks",
    "OS::Neutron::ProviderNet": "networks",
    "OS::Neutron::Subnet": "subnets",
    "OS::Neutron::SubnetPool": "subnet-pools",
    "OS::Neutron::Router": "routers",
    "OS::Neutron::Port": "ports",
    "OS::Neutron::FloatingIP": "floating-ips",
    "OS::Neutron::SecurityGroup": "security-groups",
    "OS::Aodh::GnocchiResourcesAlarm": "alarms",
    "OS::Aodh::GnocchiAggregationByMetricsAlarm": "alarms",
    "OS::Aodh::GnocchiAggregationByResourcesAlarm": "alarms",
    "OS::Aodh::EventAlarm": "alarms",
    "OS::Aodh::CompositeAlarm": "alarms",
}
"""Types of resources that have a page of their own."""


async def show(visit: Visit, stack_id: str, row: Row) -> Response:
    """Each resource, and what depends on what."""
    return await visit.in_thread(lambda: _page(visit, stack_id, row))


def rows_of(visit: Visit, stack_id: str) -> list[Row]:
    """The resources of a stack, as the API lists them."""
    return lists.rows(visit, KINDS["stack-resources"], None, **{"in": stack_id})[:MOST_LISTED]


def _page(visit: Visit, stack_id: str, row: Row) -> Response:
    found = rows_of(visit, stack_id)
    needs = needs_of(found)
    nodes = [_node(visit, one, needs.get(one["resource_name"], ())) for one in found]
    name = str(row.get("stack_name", ""))
    state = showing.cell(visit.words, Column("stack_status", "", "state"), row, {}, lists.link)
    return visit.page(
        "graph_part.html" if visit.fragment else "graph.html",
        kind=KINDS["stacks"],
        id=stack_id,
        label=name,
        state=state,
        picture=graphs.draw(nodes),
        nodes=nodes,
        command=forms.line(["openstack stack resource list", forms.operand(name)]),
        curl=commands.curl(visit, KINDS["stack-resources"].list_call, None, places={"in": stack_id}),
    )


def needs_of(found: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What each resource depends on, by the answers' ``required_by``."""
    needs: dict[str, list[str]] = {}
    for one in found:
        for name in one.get("required_by", ()):
            needs.setdefault(name, []).append(one["resource_name"])
    return needs


def _node(visit: Visit, one: Row, needs: Sequence[str]) -> Node:
    state = str(one["resource_status"])
    text = visit.words(STATES[state.lower()]) if state.lower() in STATES else state
    return Node(one["resource_name"], one["resource_type"], showing.tone(state), text, page_of(one), needs)


def page_of(one: Mapping[str, Any]) -> str:
    """Where a click on a resource leads: to its own page, or to its line in the list."""
    page, physical = PAGES.get(str(one.get("resource_type")), ""), str(one.get("physical_resource_id") or "")
    return lists.link(page, physical) if page and physical else f"#r-{inside.part(str(one['resource_name']))}"


def planned(
    visit: Visit, stack_id: str, told: Mapping[str, Sequence[Mapping[str, Any]]], tones: Mapping[str, tuple[str, str]]
) -> Picture:
    """The same picture with what an update does to each. ``tones``: title and tone of what is done."""
    before = needs_of(rows_of(visit, stack_id)) if told.get("deleted") else {}
    nodes = [
        Node(
            row["resource_name"],
            row["resource_type"],
            tones[what][1],
            visit.words(tones[what][0]).split(":")[0].split("：")[0],
            page_of(row),
            before.get(row["resource_name"], ()) if what == "deleted" else row["requires"],
        )
        for what in tones
        for row in told.get(what, ())
    ]
    return graphs.draw(nodes)
