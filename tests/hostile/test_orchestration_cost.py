"""Templates of an enemy that cost more to look at than they are long: patterns, filters, nesting, queries, text."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.orchestration.domain import plans
from tane.services.orchestration.template import apart, patterns
from tests.api.orchestration_support import at, hot
from tests.support import ApiCloud


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


# -------------------------------------------------------------------------------------------------------- patterns


@pytest.fixture
def asked_apart(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The patterns that were handed to the process apart."""
    asked: list[str] = []

    def matches(pattern: str, text: str) -> bool:
        asked.append(pattern)
        return False

    monkeypatch.setattr(apart, "matches", matches)
    return asked


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("a?" * 28 + "a" * 28, "a" * 28),
        ("(?:a|aa)" * 24 + "b", "a" * 24),
        ("(?:a{0,1}){24}a{24}", "a" * 24),
        ("(?:a|b|ab){20}c", "ab" * 20),
        ("(?:a{0,2}?b?){1,12}", "a" * 24),
        (".*" * 9 + "0", "a" * 64),
        ("(?=(?:a?){25}a{25}).", "a" * 25),
        ("(?>(?:a|aa){40}b)", "a" * 41),
        ("(?:)" + "{4294967290}", ""),
        ("a*a{400000}b", "a" * 600_000),
    ],
)
def test_a_pattern_that_may_choose_often_is_not_matched_here(pattern: str, text: str, asked_apart: list[str]) -> None:
    patterns.whole(pattern, text)
    assert asked_apart == [pattern]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("[a-z0-9-]+", "rose-garden-7" * 8),
        (r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}", "192.168.1.1"),
        ("(small|medium|large)(-v[0-9])?", "large-v2"),
        (r"[a-z]+@[a-z]+\.(org|net)", "rose@garden.org"),
    ],
)
def test_an_ordinary_pattern_needs_no_process(pattern: str, text: str, asked_apart: list[str]) -> None:
    assert patterns.whole(pattern, text) and not patterns.whole(pattern, text + "!") and asked_apart == []


def test_a_filter_of_resource_types_never_goes_back(cloud: ApiCloud) -> None:
    eve = cloud.new_user("eve", "shed", role="reader")

    def listed(name: str, expect: int = 200) -> Any:
        answer = eve.get(at(eve, "/resource_types"), expect, params={"name": name}).json()
        return answer["resource_types"] if expect == 200 else answer

    everything = listed("*")
    assert listed(".*" * 120 + "0") == [name for name in everything if "0" in name]
    nets = [name for name in everything if name.startswith("OS::Neutron::")]
    assert nets and listed("OS::Neutron::*") == listed("^OS::Neutron::.*$") == listed("OS::Neutron::") == nets
    assert listed("OS::*::Net$") == ["OS::Neutron::Net"] and listed("*Server") == listed(".*Server")
    assert "OS::Nova::Server" in listed("*Server$") and listed("OS::Nova::Server$") == ["OS::Nova::Server"]
    for pattern in ("a?a?", "[a-z]*", "(a|b)", "x" * 300, "a+"):
        assert "no pattern" in listed(pattern, 400)["error"]["message"]


# --------------------------------------------------------------------------------------------------------- nesting


def nest(width: int) -> dict[str, Any]:
    """A template whose files make ``width`` of each other, five times."""
    files = {}
    for level in range(1, 6):
        kind = f"f{level + 1}.yaml" if level < 5 else "OS::Heat::None"
        lines = [f"  r{number}: {{type: {kind}}}" for number in range(width)]
        files[f"f{level}.yaml"] = "\n".join(["heat_template_version: 2021-04-16", "resources:", *lines])
    return {"template": hot({f"r{number}": {"type": "f1.yaml"} for number in range(width)}), "files": files}


def test_resources_of_nested_templates_count_together(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    made: list[None] = []
    make = plans._graph
    monkeypatch.setattr(plans, "_graph", lambda *args: made.append(None) or make(*args))
    body = nest(8)
    for where in ("/stacks/preview", "/stacks"):
        answer = mia.post(at(mia, where), {"stack_name": "deep", **body}, 400)
        assert "Maximum resources per stack exceeded" in answer.text and len(made) < 1000
        made.clear()
    assert "Maximum resources" in mia.post(at(mia, "/validate?show_nested=1"), body, 400).text and len(made) < 1000
    ring = "heat_template_version: 2021-04-16\nresources: {it: {type: ring.yaml}}\n"
    body = {"template": ring, "files": {"ring.yaml": ring}}
    assert "Recursion depth" in mia.post(at(mia, "/validate?show_nested=1"), body, 400).text
