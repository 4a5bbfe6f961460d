"""The guides in Japanese say what those in English say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDES = Path(__file__).parent.parent / "docs" / "guides"
BLOCK = re.compile(r"^```(?:sh|toml|)( skip)?\n(.*?)^```$", re.S | re.M)


def test_the_tour_has_the_same_commands_in_both_languages() -> None:
    english, japanese = (BLOCK.findall((GUIDES / f"tour{suffix}.md").read_text()) for suffix in ("", ".ja"))
    assert english == japanese and len(english) > 10


@pytest.mark.parametrize(
    "guide",
    ["stacks", "bills", "metrics", "backups", "s3", "hosts", "topologies", "horizon", "objects-three-copies"],
)
def test_guides_of_users_show_the_same_in_both_languages(guide: str) -> None:
    fences = re.compile(r"^```[a-z]*\n(.*?)^```$", re.S | re.M)
    english, japanese = ((GUIDES / f"{guide}{suffix}.md").read_text() for suffix in ("", ".ja"))
    assert fences.findall(english) == fences.findall(japanese) != []
    named = [set(re.findall(r"`(?:\./)?(?:tane|openstack) [a-z -]+", text)) for text in (english, japanese)]
    assert named[0] == named[1]
    assert [line.count("#") for line in english.splitlines() if line.startswith("#")] == [
        line.count("#") for line in japanese.splitlines() if line.startswith("#")
    ]


def test_the_guide_of_the_portal_names_the_same_in_both_languages() -> None:
    english, japanese = ((GUIDES / f"portal{suffix}.md").read_text() for suffix in ("", ".ja"))
    for word in ("`openstack`", "`curl`", "Terraform", "noVNC", "`Enter`", "`token_ttl`", "`/dashboard`", "UTC"):
        assert word in english and word in japanese, word


def test_what_the_japanese_guide_of_operators_shows_stands_in_the_english_one() -> None:
    english = (GUIDES / "operate.md").read_text()
    for _, block in BLOCK.findall((GUIDES / "operate.ja.md").read_text()):
        assert block in english, block


def test_both_readmes_name_the_same_commands() -> None:
    root = GUIDES.parent.parent
    english, japanese = ((root / name).read_text() for name in ("README.md", "README.ja.md"))
    named = set(re.findall(r"^\| `\./tane ([a-z-]+)", english, re.M))
    assert len(named) > 10
    told = set(re.findall(r"`(?:\./tane )?([a-z-]+)", japanese))
    assert sorted(named - told) == []


def test_every_guide_is_there_in_both_languages_and_leads_to_the_other() -> None:
    names = {file.name.partition(".")[0] for file in GUIDES.glob("*.md")}
    for name in names:
        assert f"({name}.ja.md)" in (GUIDES / f"{name}.md").read_text(), name
        linked = re.findall(r"\]\(([a-z0-9-]+(?:\.ja)?\.md)[#)]", (GUIDES / f"{name}.ja.md").read_text())
        assert [one for one in linked if not (GUIDES / one).is_file()] == [], name
