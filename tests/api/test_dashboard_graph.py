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
