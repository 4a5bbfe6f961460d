"""Every program a test starts is one that a fresh machine is given."""

from __future__ import annotations

import subprocess

import pytest

from tane.linux import programs
from tests.watched import UnknownProgram, started


@pytest.mark.parametrize(
    "command",
    [
        ["tcpdump", "-i", "eth0"],
        ["ip", "netns", "exec", "somewhere", "tcpdump"],
        ["setpriv", "--clear-groups", "--", "tcpdump"],
        ["sh", "-c", "true | tcpdump"],
    ],
)
def test_a_program_that_no_list_names_is_not_started(command: list[str]) -> None:
    with pytest.raises(UnknownProgram, match="tcpdump stands in no list"):
        subprocess.run(command, check=False, capture_output=True)


def test_what_wrappers_go_on_to_run_is_seen() -> None:
    command = ["unshare", "--net", "sh", "-c", "ip link add name b type bridge && ip tuntap add dev t mode tap"]
    assert list(started(command)) == ["unshare", "sh", "ip", "ip"]


def test_missing_packages_are_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda program: None)
    assert programs.missing_packages({"qemu-img": "qemu-utils", "qemu-io": "qemu-utils", "ip": "iproute2"}) == [
        "iproute2",
        "qemu-utils",
    ]
