"""What users rely on, shown on real servers, networks and volumes."""

from __future__ import annotations

import time

import pytest

from tane.guest.build import GuestImage
from tests.e2e.real import MARKS, RealCloud, Tenant, wait_for

pytestmark = MARKS

Pair = tuple[tuple[str, str], tuple[str, str]]
NEW_DISK = (
    "for b in /sys/block/vd[b-z]; do [ $(cat $b/size 2>/dev/null || echo 0) = 2097152 ] && d=/dev/${b##*/}; done; "
)


def fixed_ip(tenant: Tenant, server_id: str) -> str:
    [port] = tenant.get(f"/network/v2.0/ports?device_id={server_id}")["ports"]
    return str(port["fixed_ips"][0]["ip_address"])


def test_a_server_knows_its_name_and_its_floating_ip(mia: Tenant, two_servers: Pair) -> None:
    (_, address), _ = two_servers
    metadata = "wget -q -O - http://169.254.169.254/latest/meta-data"
    assert mia.ssh(address, f"timeout 5 {metadata}/local-hostname").split(".")[0] == "one"
    assert mia.ssh(address, f"timeout 5 {metadata}/public-ipv4") == address
    assert mia.ssh(address, "hostname").split(".")[0] == "one"


@pytest.mark.nightly
def test_two_tenants_with_the_same_range_do_not_reach_each_other(
    real: RealCloud, mia: Tenant, two_servers: Pair, guest: GuestImage
) -> None:
    (_, address), (two, _) = two_servers
    noa = real.tenant("noa")
    server_id = noa.request_server("noa", noa.upload_image(guest))
    noa.wait_server(server_id)
    _, theirs = noa.floating_ip(server_id)
    noa.ssh(theirs, "true")
    mine = fixed_ip(mia, two)
    assert mia.ssh(address, f"ping -c1 -W2 {mine} >/dev/null && echo yes || echo no") == "yes"
    others = {fixed_ip(noa, server_id), "10.0.0.254"} - {mine, fixed_ip(mia, two_servers[0][0])}
    for other in others:
        assert mia.ssh(address, f"ping -c1 -W2 {other} >/dev/null && echo yes || echo no") == "no"
    assert noa.ssh(theirs, "hostname").split(".")[0] == "noa"
    noa.delete_server(server_id)


def test_a_security_group_rule_opens_and_closes_a_port_within_a_second(mia: Tenant, two_servers: Pair) -> None:
    (_, address), (two, _) = two_servers
    target = fixed_ip(mia, two)
    _, other = two_servers[1]
    mia.ssh(other, "setsid sh -c 'while :; do echo hello | nc -l -p 7777; done' >/dev/null 2>&1 </dev/null & true")
    ask = f"timeout 1 nc -w 1 {target} 7777 </dev/null | grep -q hello && echo open || echo closed"
    assert mia.ssh(address, ask) == "closed"
    rule = mia.allow("tcp", 7777)
    begun = time.monotonic()
    wait_for("the port open", lambda: mia.ssh(address, ask) == "open", 30)
    assert time.monotonic() - begun < 10, "opening took too long (a probe itself takes up to a second and a login)"
    mia.client.call("DELETE", f"/network/v2.0/security-group-rules/{rule}")
    wait_for("the port closed", lambda: mia.ssh(address, ask) == "closed", 60)


def test_a_floating_ip_moves_to_another_server(mia: Tenant, two_servers: Pair) -> None:
    (one, _), (two, _) = two_servers
    floating_ip, address = mia.floating_ip()
    for server_id, name in ((one, "one"), (two, "two"), (one, "one")):
        mia.client.call("PUT", f"/network/v2.0/floatingips/{floating_ip}", {"floatingip": {"port_id": None}})
        # A server that has a floating IP gets a second one by a second port only, so the port's own one goes first.
        for other in mia.get(f"/network/v2.0/floatingips?port_id={mia.port_of(server_id)}")["floatingips"]:
            mia.associate(other["id"], None)
            restored = (other["id"], server_id)
        mia.associate(floating_ip, server_id)
        wait_for(f"{name} answers", lambda name=name: mia.ssh(address, "hostname").split(".")[0] == name, 60)  # type: ignore[misc]
        mia.associate(floating_ip, None)
        mia.associate(*restored)
    mia.client.call("DELETE", f"/network/v2.0/floatingips/{floating_ip}")


def test_volume_data_survives_a_move_and_a_snapshot_restores_it(mia: Tenant, two_servers: Pair) -> None:
    (one, first), (two, second) = two_servers
    volume = mia.volume()
    mia.attach(one, volume)
    wait_for("the disk in the guest", lambda: mia.ssh(first, NEW_DISK + "echo ${d:-}"), 60)
    mia.ssh(first, NEW_DISK + "mke2fs -q $d && mkdir -p /mnt/v && mount $d /mnt/v && echo old >/mnt/v/file && sync")
    snapshot = mia.post(f"{mia.volumes}/snapshots", {"snapshot": {"volume_id": volume, "force": True}})["snapshot"][
        "id"
    ]
    wait_for(
        "the snapshot available",
        lambda: mia.get(f"{mia.volumes}/snapshots/{snapshot}")["snapshot"]["status"] == "available",
        30,
    )
    mia.ssh(first, "echo new >/mnt/v/file && sync && umount /mnt/v")
    mia.detach(one, volume)
    mia.attach(two, volume)
    wait_for("the disk in the other guest", lambda: mia.ssh(second, NEW_DISK + "echo ${d:-}"), 60)
    read = NEW_DISK + "mkdir -p /mnt/v && mount $d /mnt/v && cat /mnt/v/file && umount /mnt/v"
    assert mia.ssh(second, read) == "new"
    mia.detach(two, volume)
    restored = mia.volume(snapshot_id=snapshot)
    mia.attach(two, restored)
    wait_for("the restored disk", lambda: mia.ssh(second, NEW_DISK + "echo ${d:-}"), 60)
    assert mia.ssh(second, read) == "old"
    mia.detach(two, restored)


def test_reboot_keeps_data(mia: Tenant, two_servers: Pair) -> None:
    _, (two, address) = two_servers
    mia.ssh(address, "echo kept >/root/file && sync && touch /run/before")
    mia.post(f"/compute/v2.1/servers/{two}/action", {"reboot": {"type": "HARD"}})
    mia.wait_server(two)
    wait_for("rebooted", lambda: mia.ssh(address, "test -e /run/before && echo no || echo yes") == "yes", 120)
    assert mia.ssh(address, "cat /root/file") == "kept"


def test_boot_from_volume(mia: Tenant, image: str) -> None:
    mapping = {
        "boot_index": 0,
        "uuid": image,
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": 1,
        "delete_on_termination": True,
    }
    server_id = mia.request_server("from-volume", None, block_device_mapping_v2=[mapping])
    mia.wait_server(server_id)
    _, address = mia.floating_ip(server_id)
    assert mia.ssh(address, "hostname").split(".")[0] == "from-volume"
    [attached] = mia.server(server_id)["os-extended-volumes:volumes_attached"]
    mia.delete_server(server_id)
    wait_for(
        "its volume deleted with it",
        lambda: attached["id"] not in {v["id"] for v in mia.get(f"{mia.volumes}/volumes")["volumes"]},
        60,
    )


def test_the_console_log_tells_of_the_boot(mia: Tenant, two_servers: Pair) -> None:
    (one, _), _ = two_servers
    answer = mia.post(f"/compute/v2.1/servers/{one}/action", {"os-getConsoleOutput": {"length": 50}})
    assert "TANE-READY" in answer["output"]


@pytest.mark.parametrize("action", ["pause", "suspend"])
def test_a_stopped_moment_is_carried_on(mia: Tenant, two_servers: Pair, action: str) -> None:
    (one, address), _ = two_servers
    back = {"pause": "unpause", "suspend": "resume"}[action]
    mia.ssh(address, f"echo {action} >/run/moment")
    mia.post(f"/compute/v2.1/servers/{one}/action", {action: None})
    mia.wait_server(one, {"pause": "PAUSED", "suspend": "SUSPENDED"}[action])
    mia.post(f"/compute/v2.1/servers/{one}/action", {back: None})
    mia.wait_server(one)
    assert mia.ssh(address, "cat /run/moment") == action
