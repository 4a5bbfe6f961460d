"""From the API to the kernel: what a user orders is there, as seen with packets."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tane.agent.network.duty import LinuxNetwork
from tane.agent.network.plan import NetworkSettings
from tests.api.network_support import Net, public, reconcile
from tests.services.network.following import replace_network
from tests.support import HOST_ID, ApiCloud

pytestmark = pytest.mark.root


@pytest.fixture
def duty(cloud: ApiCloud, tmp_path: Path) -> Iterator[LinuxNetwork]:
    """The cloud's one host with real networks, which end in a namespace of the test's own."""

    async def no_metadata(port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
        return 404, "text/plain", b""

    settings = NetworkSettings(state_dir=tmp_path / "network", cloud_id=uuid.uuid4().hex[:6], host_link=False)
    made = LinuxNetwork(settings, no_metadata)
    replace_network(cloud, HOST_ID, made)
    yield made
    cloud.wait(made.teardown())
    cloud.wait(made.close())


def inside(namespace: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", "netns", "exec", namespace, *command], capture_output=True, text=True, check=False)


def test_a_router_of_the_api_answers_from_the_outside_and_goes_when_it_is_deleted(
    cloud: ApiCloud, duty: LinuxNetwork
) -> None:
    admin = Net(cloud.admin)
    outside = public(cloud)
    subnet = admin.subnet("10.0.0.0/24")
    router = admin.make("router", name="r", external_gateway_info={"network_id": outside})
    admin.attach(router["id"], subnet["id"])
    port = admin.make("port", network_id=subnet["network_id"], **{"binding:host_id": "host-1"})
    floating = admin.make("floatingip", floating_network_id=outside, port_id=port["id"])
    print(reconcile(cloud))
    assert admin.show("port", port["id"])["status"] == "ACTIVE"
    assert admin.show("floatingip", floating["id"])["status"] == "ACTIVE"
    space = f"qrouter-{router['id']}"
    assert "10.0.0.1/24" in inside(space, "ip", "-4", "addr").stdout
    address = router["external_gateway_info"]["external_fixed_ips"][0]["ip_address"]
    ping = inside(duty.settings.outside_namespace, "ping", "-c", "1", "-W", "2", address)
    assert ping.returncode == 0, ping.stdout + ping.stderr
    links = inside(duty.settings.host_namespace, "ip", "link").stdout
    assert f"tap{port['id'][:11]}" in links
    assert reconcile(cloud) is None
    admin.drop("floatingip", floating["id"])
    admin.drop("port", port["id"])
    admin.attach(router["id"], subnet["id"], verb="remove")
    admin.drop("router", router["id"])
    reconcile(cloud)
    assert inside(space, "true").returncode != 0
    assert f"tap{port['id'][:11]}" not in inside(duty.settings.host_namespace, "ip", "link").stdout
