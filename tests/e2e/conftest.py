"""One real cloud in each test worker for the tests of this folder, with servers that several tests use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tane.cli.common import cache_folder
from tane.guest.build import GuestImage, build
from tests.e2e.real import RealCloud, Tenant


@pytest.fixture(scope="session")
def guest() -> GuestImage:
    return build(cache_folder())


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCloud]:
    cloud = RealCloud(tmp_path_factory.mktemp("cloud"))
    cloud.up()
    yield cloud
    cloud.tane("down", "--purge")


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCloud]:
    """A cloud of simulated hosts, for what is about the API alone."""
    cloud = RealCloud(tmp_path_factory.mktemp("simulated"))
    cloud.tane("up", "--mode", "simulated", "--port", str(cloud.port))
    yield cloud
    cloud.tane("down", "--purge")


@pytest.fixture(scope="session")
def mia(real: RealCloud) -> Tenant:
    return real.tenant("mia")


@pytest.fixture(scope="session")
def image(mia: Tenant, guest: GuestImage) -> str:
    return mia.upload_image(guest)


@pytest.fixture(scope="session")
def two_servers(mia: Tenant, image: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Two of Mia's servers: (id, floating IP address) each."""
    ids = [mia.request_server(name, image) for name in ("one", "two")]
    found = []
    for server_id in ids:
        mia.wait_server(server_id)
        found.append((server_id, mia.floating_ip(server_id)[1]))
    for _, address in found:
        mia.ssh(address, "true")
    return found[0], found[1]
