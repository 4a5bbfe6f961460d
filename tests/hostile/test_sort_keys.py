"""A list costs the same however often the request names what it is sorted by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tane.db.paging import MOST_KEYS, TooManyKeys, once_each
from tests.support import ApiCloud, Caller


@contextmanager
def statements() -> Iterator[list[str]]:
    said: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def longest(caller: Caller, path: str) -> int:
    with statements() as said:
        caller.get(path)
    return max(map(len, said))


def made(caller: Caller) -> dict[str, str]:
    image = {"disk_format": "raw", "container_format": "bare", "name": "i"}
    rule = {"event_type": "x"}
    alarm = {"name": "a", "type": "event", "event_rule": rule}
    return {
        "image": caller.post("/image/v2/images", image, 201).json()["id"],
        "alarm": caller.post("/alarm/v2/alarms", alarm, 201).json()["alarm_id"],
        "network": caller.post("/network/v2.0/networks", {"network": {"name": "n"}}, 201).json()["network"]["id"],
    }


LISTS = {
    "images": ("/image/v2/images?marker={image}", "&sort=name:asc", ",name:asc"),
    "images, the older way": ("/image/v2/images?marker={image}", "&sort_key=name", "&sort_key=name"),
    "alarms": ("/alarm/v2/alarms?marker={alarm}", "&sort=type:asc", "&sort=type:asc"),
    "networks": ("/network/v2.0/networks?marker={network}", "&sort_key=name", "&sort_key=name"),
    "servers": ("/compute/v2.1/servers?x=", "&sort_key=display_name", "&sort_key=display_name"),
    "stacks": ("/orchestration/v1/{project}/stacks?x=", "&sort_keys=name", ",name"),
}


@pytest.mark.parametrize("what", LISTS)
def test_a_sort_key_that_is_said_again_costs_nothing(cloud: ApiCloud, what: str) -> None:
    mia = cloud.new_user("mia", "garden")
    path, key, again = LISTS[what]
    path = path.format(project=mia.project_id, **made(mia))
    once = longest(mia, path + key)
    assert longest(mia, path + key + again * 15) == once


def test_a_list_is_sorted_by_ten_keys_at_most() -> None:
    keys = [(f"k{number}", True) for number in range(MOST_KEYS)]
    assert once_each([*keys, ("k0", False)]) == keys
    with pytest.raises(TooManyKeys):
        once_each([*keys, ("more", True)])


def test_more_keys_than_ten_are_refused(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    names = ("alarm_id", "description", "enabled", "name", "ok_actions", "project_id", "severity", "state", "type")
    names += ("timestamp", "state_timestamp", "user_id")
    query = "&".join(f"sort={name}" for name in names if name != "ok_actions")
    assert "at most 10 keys" in mia.get(f"/alarm/v2/alarms?{query}", 400).text
