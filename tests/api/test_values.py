"""Values that not every database can keep are refused, or kept, alike on all."""

from __future__ import annotations

import pytest

from tests.support import ApiCloud

NETWORKS = "/network/v2.0/networks"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"network": {"name": "a\0b"}}, "network.name"),
        ({"network": {"a\0b": 1}}, r"network.a\u0000b"),
        ({"network": {"availability_zone_hints": ["a\0b"]}}, "network.availability_zone_hints[...]"),
    ],
)
def test_a_text_with_nul_is_refused_by_the_name_of_its_field(
    cloud: ApiCloud, body: dict[str, object], field: str
) -> None:
    told = cloud.admin.post(NETWORKS, body, 400).json()["NeutronError"]["message"]
    assert told == f"Invalid input for field/attribute {field}. The character NUL is not allowed."


def test_a_backslash_before_u0000_is_no_nul(cloud: ApiCloud) -> None:
    made = cloud.admin.post(NETWORKS, {"network": {"name": r"a\u0000b"}}, 201).json()["network"]
    assert made["name"] == r"a\u0000b"


def test_nul_in_a_query_is_refused_and_in_a_path_names_nothing(cloud: ApiCloud) -> None:
    told = cloud.admin.get("/compute/v2.1/servers?name=a%00b", expect=400).json()["badRequest"]["message"]
    assert told == "Invalid input for field/attribute name. The character NUL is not allowed."
    cloud.admin.get(f"{NETWORKS}/a%00b", expect=404)


def test_numbers_beyond_those_of_a_column_find_nothing_and_larger_ones_are_refused(cloud: ApiCloud) -> None:
    admin = cloud.admin
    assert admin.get(f"{NETWORKS}?mtu={1 << 40}").json()["networks"] == []
    admin.get(f"{NETWORKS}?limit={1 << 40}")
    admin.get(f"{NETWORKS}?limit={1 << 70}", expect=400)
    admin.put(f"/network/v2.0/quotas/{admin.project_id}", {"quota": {"port": 1 << 70}}, 400)


def test_names_are_compared_letter_by_letter_and_sorted_by_their_characters(cloud: ApiCloud) -> None:
    admin = cloud.admin
    for name in ("b", "B", "a", "é", "_"):
        admin.post(NETWORKS, {"network": {"name": name}}, 201)
    listed = admin.get(f"{NETWORKS}?sort_key=name&sort_dir=asc&fields=name").json()["networks"]
    assert [network["name"] for network in listed if len(network["name"]) == 1] == ["B", "_", "a", "b", "é"]
    assert [network["name"] for network in admin.get(f"{NETWORKS}?name=B").json()["networks"]] == ["B"]
