"""Names with wildcards mean what a shell's mean, and cost as much as they are long."""

from __future__ import annotations

import fnmatch
import random
import time

import pytest

from tane import wildcards


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("web", "web", True),
        ("web", "Web", False),
        ("*", "", True),
        ("?", "", False),
        ("web_*", "web_1", True),
        ("*_1", "web_1", True),
        ("w?b", "web", True),
        ("compute.*", "compute.server.update", True),
        ("[wx]eb", "web", True),
        ("[!wx]eb", "web", False),
        ("[a-f]1", "e1", True),
        ("[]]", "]", True),
        ("[!]]", "]", False),
        ("[a", "[a", True),
        ("[a-]", "-", True),
        ("**a**", "bab", True),
        ("名*", "名前", True),
        ("a\nb*", "a\nbc", True),
    ],
)
def test_a_pattern_stands_for_what_a_shell_lets_it_stand_for(pattern, text, fits):
    assert wildcards.matches(pattern, text) is fits


def test_it_agrees_with_the_standard_library_on_patterns_at_random():
    chance = random.Random(7)
    for _ in range(5000):
        pattern = "".join(chance.choices("ab-]![*?c", k=chance.randint(0, 8)))
        text = "".join(chance.choices("abc-]![", k=chance.randint(0, 6)))
        assert wildcards.matches(pattern, text) is fnmatch.fnmatchcase(text, pattern), (pattern, text)


@pytest.mark.parametrize("pattern", ["*a" * 127, "[Ā-￿ac0-2]" * 23, "*?" * 127, "[!Ā-￿]*" * 36])
def test_no_pattern_of_a_name_takes_long(pattern):
    began = time.thread_time()
    wildcards.matches(pattern, "a" * 255)
    assert time.thread_time() - began < 0.02
