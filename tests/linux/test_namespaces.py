"""Namespaces, links, rules and connections, each in a namespace of the test's own."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tane.linux import netns, sysctl, tap
from tane.linux.netlink import Address, BridgePort, Fdb, Neighbour, Route
from tane.linux.nft import NftError
from tane.linux.space import Space

pytestmark = pytest.mark.root


@pytest.fixture
def name() -> Iterator[str]:
    unique = f"t{uuid.uuid4().hex[:10]}"
    netns.create(unique)
    yield unique
    netns.remove(unique)


@pytest.fixture
def space(name: str) -> Iterator[Space]:
    opened = Space.named(name)
    opened.netlink.links()
    yield opened
    opened.close()


def here() -> int:
    return Path("/proc/thread-self/ns/net").stat().st_ino


def test_creating_a_namespace_twice_makes_one(name: str) -> None:
    assert not netns.create(name)
    assert name in netns.names()


def test_a_left_over_file_is_not_a_namespace(name: str) -> None:
    netns.remove(name)
    netns.path(name).touch()
    assert not netns.exists(name)
    assert netns.create(name)


def test_entering_moves_the_calling_thread_only_and_brings_it_back_after_an_error(name: str) -> None:
    home = here()
    inside = threading.Event()
    leave = threading.Event()

    def visit() -> None:
        with netns.entered(name):
            assert here() != home
            inside.set()
            leave.wait(5)

    visitor = threading.Thread(target=visit)
    visitor.start()
    assert inside.wait(5)
    assert here() == home
    leave.set()
    visitor.join()
    with pytest.raises(ZeroDivisionError), netns.entered(name):
        _ = 1 // 0
    assert here() == home


def test_a_kernel_parameter_is_written_only_when_it_differs(space: Space) -> None:
    with netns.entered(space.descriptor):
        assert sysctl.write("net.ipv4.ip_forward", "1")
        assert not sysctl.write("net.ipv4.ip_forward", "1")
        with pytest.raises(FileNotFoundError):
            sysctl.write("net.ipv4.no_such_parameter", "1")


def test_links_and_their_entries_read_back_as_written(space: Space) -> None:
    netlink = space.netlink
    netlink.add_bridge("br0", "0a:00:00:00:00:01", 1450)
    with netns.entered(space.descriptor):
        tap.create("tap0")
    port = BridgePort("br0", learning=False, flood_unknown=False)
    netlink.set_port("tap0", port)
    for link in ("br0", "tap0"):
        netlink.set_link(link, state="up")
    state = netlink.links()
    assert (state["br0"].kind, state["br0"].mac, state["br0"].mtu) == ("bridge", "0a:00:00:00:00:01", 1450)
    assert state["tap0"].port == port
    entries = Fdb("tap0", "fa:16:3e:00:00:01")
    netlink.add_fdb(entries)
    netlink.add_neighbour(Neighbour("br0", "10.0.0.9", "fa:16:3e:00:00:09"))
    netlink.add_address(Address("br0", "10.0.0.1/24"))
    netlink.add_address(Address("br0", "fd00::1/64"))
    netlink.add_route(Route("10.9.0.0/16", "10.0.0.7"))
    netlink.add_route(Route("0.0.0.0/0", "192.0.2.1", "br0"))
    assert netlink.fdb() == {entries}
    assert netlink.neighbours() == {Neighbour("br0", "10.0.0.9", "fa:16:3e:00:00:09")}
    assert netlink.addresses() >= {Address("br0", "10.0.0.1/24"), Address("br0", "fd00::1/64")}
    assert netlink.routes() == {Route("10.9.0.0/16", "10.0.0.7", "br0"), Route("0.0.0.0/0", "192.0.2.1", "br0")}
    netlink.delete_fdb(entries)
    netlink.delete_route(Route("10.9.0.0/16", "10.0.0.7"))
    assert netlink.fdb() == set()
    assert netlink.routes() == {Route("0.0.0.0/0", "192.0.2.1", "br0")}


def test_a_refused_transaction_changes_nothing_and_says_why(space: Space) -> None:
    with pytest.raises(NftError, match="No such file"):
        space.nft.run("add table ip fine\nadd chain ip ghost c\n")
    assert space.nft.run("list ruleset") == ""


def test_rules_are_sent_again_only_when_somebody_changed_them(space: Space) -> None:
    text = "table ip t\ndelete table ip t\ntable ip t {\nchain c { }\n}\n"
    assert space.apply_rules(text)
    assert not space.apply_rules(text)
    space.nft.run("flush ruleset")
    assert space.apply_rules(text)


def test_a_connection_is_found_by_zone_and_address_and_deleted(space: Space) -> None:
    space.netlink.set_link("lo", state="up")
    space.nft.run(
        "table ip t {\nchain c { type filter hook output priority -300; ct zone set 7; }\n"
        "chain d { type filter hook output priority 0; ct state new accept; }\n}\n"
    )
    with netns.entered(space.descriptor), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.sendto(b"x", ("127.0.0.1", 9))
    found = [entry for entry in space.conntrack.connections() if entry.protocol == 17]
    assert [(entry.zone, entry.addresses) for entry in found] == [(7, frozenset({"127.0.0.1"}))]
    assert space.conntrack.delete(["127.0.0.2", "::1"], lambda entry: entry.zone == 7) == 0
    assert space.conntrack.delete(["127.0.0.1"], lambda entry: entry.zone == 7) >= 1
    assert not [entry for entry in space.conntrack.connections() if entry.protocol == 17]


def test_a_namespace_made_anew_under_the_same_name_is_another_one(space: Space, name: str) -> None:
    assert space.is_current()
    netns.remove(name)
    assert not space.is_current()
    netns.create(name)
    assert not space.is_current()


def test_nobody_but_root_takes_over_a_tap_that_no_guest_has_open(space: Space) -> None:
    """Its port's filter lets the guest's addresses through: who holds the tap is the guest."""
    with netns.entered(space.descriptor):
        tap.create("tap0")
        tun = os.open("/dev/net/tun", os.O_RDWR)  # As whoever may open it: everybody, on most machines.
        code = _attached_by(2_000_000_001, tun)
        os.close(tun)
        assert code == errno.EPERM
        os.close(tap.opened("tap0"))


def _attached_by(uid: int, tun: int) -> int:
    """What the kernel answers another user who attaches to tap0: 0, or an error's number."""
    child = os.fork()
    if not child:
        try:
            os.setresuid(uid, uid, uid)  # With it go all capabilities.
            fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"tap0", 0x1002))
        except OSError as error:
            os._exit(error.errno or 255)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
