"""Bodies: what is refused, and in which words."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest

from tane.web.codec import Body, Name, decode, since
from tane.web.errors import BadRequest


class Thing(Body):
    name: Name
    size: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1
    colour: Annotated[str, since("2.19")] | msgspec.UnsetType = msgspec.UNSET


class Wrapped(Body):
    thing: Thing


def refusal(raw: str, version: tuple[int, int] = (2, 90)) -> str:
    with pytest.raises(BadRequest) as caught:
        decode(Wrapped, raw.encode(), version)
    return caught.value.message


def test_a_good_body_is_taken_and_numbers_may_come_as_text() -> None:
    assert decode(Wrapped, b'{"thing": {"name": "x", "size": "7"}}').thing.size == 7


def test_each_refusal_names_the_field_and_the_rule() -> None:
    assert "'name' is a required property of 'thing'" in refusal('{"thing": {}}')
    assert "thing.name" in refusal('{"thing": {"name": 5}}')
    assert "thing.name" in refusal('{"thing": {"name": ""}}')
    assert "thing.size" in refusal('{"thing": {"name": "x", "size": 11}}')
    assert "'bogus' was unexpected" in refusal('{"thing": {"name": "x", "bogus": 1}}')
    assert "Malformed request body" in refusal("{")


def test_a_field_is_unknown_before_the_version_it_came_with() -> None:
    body = '{"thing": {"name": "x", "colour": "red"}}'
    assert "came with version 2.19" in refusal(body, (2, 18))
    assert decode(Wrapped, body.encode(), (2, 19)).thing.colour == "red"
