"""The guides in Japanese say what those in English say."""

from __future__ import annotations

import re
from pathlib import Path

GUIDES = Path(__file__).parent.parent / "docs" / "guides"
BLOCK = re.compile(r"^```(?:sh|toml|)( skip)?\n(.*?)^```$", re.S | re.M)


def test_the_tour_has_the_same_commands_in_both_languages() -> None:
    english, japanese = (BLOCK.findall((GUIDES / f"tour{suffix}.md").read_text()) for suffix in ("", ".ja"))
    assert english == japanese and len(english) > 10


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
