"""A stack as a picture: what depends on what, how each resource is, and what an update would do."""

from __future__ import annotations

import re
import time

import pytest

from tane.services.dashboard.domain import graphs
from tane.services.dashboard.domain.graphs import Node, draw
from tests.api.dashboard_support import D, Scene, make_scene
from tests.support import ApiCloud

TEMPLATE = """heat_template_version: 2021-04-16
resources:
  net: {type: OS::Neutron::Net, properties: {name: soil}}
  range: {type: OS::Neutron::Subnet, properties: {network: {get_resource: net}, cidr: 10.9.0.0/24}}
  door: {type: OS::Neutron::Port, properties: {network: {get_resource: net}}, depends_on: range}
  alone: {type: OS::Heat::TestResource}
"""


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


def node(name: str, *needs: str) -> Node:
    return Node(name, "t", "good", "well", "", needs)


def test_what_is_needed_stands_left_of_what_needs_it() -> None:
    picture = draw([node("a"), node("b", "a"), node("c", "a", "b"), node("d")])
    places = {box.node.name: box for box in picture.boxes}
    assert places["a"].x == places["d"].x < places["b"].x < places["c"].x
    assert len(picture.lines) == 3
    assert len({(box.x, box.y) for box in picture.boxes}) == 4
    assert all(box.x + graphs.WIDE < picture.width and box.y + graphs.TALL < picture.height for box in picture.boxes)


@pytest.mark.parametrize(
    "nodes",
    [
        [],
        [node("a", "a")],
        [node("a", "b"), node("b", "a")],
        [node("a", "gone")],
        [node(f"n{place}", *(f"n{other}" for other in range(200) if other != place)) for place in range(200)],
        [node(f"n{place}", f"n{place + 1}") for place in range(200)],
    ],
)
def test_no_stack_is_too_odd_or_too_large_to_be_drawn(nodes: list[Node]) -> None:
    began = time.process_time()
    picture = draw(nodes)
    assert len(picture.boxes) == min(len(nodes), graphs.MOST) and picture.more == max(len(nodes) - graphs.MOST, 0)
    assert time.process_time() - began < 1.5


def test_a_line_past_a_box_of_its_row_bends_around_it() -> None:
    picture = draw([node("a"), node("b", "a"), node("c", "a", "b")])
    assert sorted(bool(line.bow) for line in picture.lines) == [False, False, True]
    [line] = [line for line in picture.lines if line.bow]
    assert 0.75 * line.bow > graphs.TALL / 2 and line.y1 + 0.75 * line.bow < picture.height


def test_a_stack_is_drawn_with_links_to_its_resources(scene: Scene) -> None:
    stack = scene.make("stacks", stack_name="bed", template=TEMPLATE)
    path = f"{D}/stacks/{stack}/graph"
    page = scene.browser.get(path)
    [network] = scene.api.get("/network/v2.0/networks?name=soil").json()["networks"]
    boxes = dict(re.findall(r'<a href="([^"]*)"><title>(\w+) \(', page))
    assert boxes[f"{D}/networks/{network['id']}"] == "net" and boxes["#r-alone"] == "alone"
    assert page.count('<rect class="good"') == 4 and page.count(">Creation complete<") >= 8
    lines = page.count("<path d=")
    assert lines == 3, "range needs net, door both"
    assert '<tr id="r-door">' in page and re.search(r"<td>(net, range|range, net)</td>", page)
    part = scene.browser.get(path, headers={"HX-Request": "true"})
    assert "<svg" in part and "<html" not in part


def test_a_plan_is_drawn_in_the_same_picture(scene: Scene) -> None:
    stack = scene.make("stacks", stack_name="bed", template=TEMPLATE)
    hostile = TEMPLATE.replace("  alone:", '  "<img src=x onerror=alert(1)>":').replace("name: soil", "name: sand")
    told = scene.do("stacks", stack, "plan", expect=200, template=hostile)
    assert "<img src=x" not in told
    tones = re.findall(r'<title>([^<]*?) \([^<]*</title><rect class="(\w+)"', told)
    assert dict(tones) == {
        "net": "busy",
        "range": "quiet",
        "door": "quiet",
        "alone": "bad",
        "&lt;img src=x onerror=alert(1)&gt;": "good",
    }
    assert told.count("<path d=") == 3


@pytest.mark.parametrize("name", ["kill1-router-36a2589d163", "WWWWWWWWWWWWWWWWWWWW", "苗床" * 10, "i" * 60, ""])
def test_a_name_stays_in_its_box(name: str) -> None:
    shown = graphs.short(name, 186)
    assert sum(graphs._wide(letter) for letter in shown.removesuffix("…")) <= 186 - 14 * shown.endswith("…")
    assert shown == name or (shown.endswith("…") and name.startswith(shown[:-1]) and len(shown) > 9)
    assert graphs.short("web", 186) == "web"


def test_the_topology_says_what_hangs_on_what_without_its_picture(scene: Scene) -> None:
    name = "a-network-with-a-name-that-is-long"
    network, router = scene.make("networks", name=name, cidr="10.1.0.0/24"), scene.make("routers", name="gate")
    [subnet] = scene.show(f"/network/v2.0/networks/{network}")["subnets"]
    alone = scene.api.post("/network/v2.0/routers", {"router": {"name": "alone"}}, 201).json()["router"]["id"]
    scene.do("routers", router, "add-interface", subnet_id=subnet)
    page = scene.browser.get(f"{D}/topology")
    assert f"<title>{name}</title>" in page and f">{name}</text>" not in page
    rows = re.findall(r"<tr>(.*?)</tr>", page.partition("<tbody>")[2], re.DOTALL)
    [own] = [row for row in rows if f">{name}</a>" in row]
    assert f'<a href="{D}/routers/{router}">gate</a>' in own and f"{D}/new/servers?networks={network}" in own
    assert "On no network" in rows[-1] and f"{D}/routers/{alone}" in rows[-1]
