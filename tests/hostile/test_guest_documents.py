"""What the API takes of a guest, the document of the guest takes: else a job fails where a caller should be told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tane.services.compute import schemas
from tane.wire import grammar
from tests.api.compute_support import make_flavor, make_image
from tests.support import ApiCloud, Caller

DEVICES = (
    *(
        "vdb",
        "/dev/vdb",
        "auto",
        "/dev/sda1",
        "xvdf",
        "dev/vdb",
        "/vdb",
        "/dev/mapper/a-b_c",
        "v" * 27,
        "/dev/" + "v" * 27,
    ),
    *("/dev/", "/dev/vd.a", "vd.a", "/dev/vd a", "/dev/vdb\n", "/dev/" + "v" * 28, "v" * 28, "v" * 255, "/dev/vdb,x"),
)
TAKEN = 10
SERVERS = "/compute/v2.1/servers"
KERNEL = {"kernel_id": "00000000-0000-0000-0000-000000000000"}


def takes(kind: Any, text: str) -> bool:
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize("text", DEVICES)
def test_a_name_of_a_disk_that_the_api_takes_is_one_on_the_host(text: str) -> None:
    assert takes(schemas.Device, text) is (text in DEVICES[:TAKEN])
    path = text if text.startswith("/dev/") else f"/dev/{text}"
    if takes(schemas.Device, text):
        assert takes(grammar.BlockDevice, path)
        assert len(path) <= 32, "what the table of devices keeps"


@pytest.fixture
def mia(cloud: ApiCloud) -> Caller:
    return cloud.new_user("mia", "garden")


@pytest.mark.parametrize("line", ["console=ttyS0\ninit=/bin/sh", "a\x1bb", "a\u2028b", "x" * 4097])
def test_a_command_line_that_is_none_is_refused_with_its_property(cloud: ApiCloud, mia: Caller, line: str) -> None:
    assert not takes(grammar.Line, line)
    image = make_image(mia, "odd", **KERNEL, os_command_line=line)
    body = {"name": "a", "flavorRef": make_flavor(cloud.admin), "imageRef": image, "networks": "none"}
    headers = {"OpenStack-API-Version": "compute 2.60"}
    answer = mia.request("POST", SERVERS, json={"server": body}, headers=headers, expect=400)
    assert "os_command_line" in answer.text
    # Without a kernel of its own nobody reads it.
    plain = make_image(mia, "plain", os_command_line=line)
    answer = mia.request("POST", SERVERS, json={"server": {**body, "imageRef": plain}}, headers=headers, expect=202)
    server = answer.json()["server"]["id"]
    cloud.run_jobs()
    answer = mia.post(f"{SERVERS}/{server}/action", {"rebuild": {"imageRef": image}}, 400)
    assert "os_command_line" in answer.text


@pytest.mark.parametrize("bad", ["v.a", "/dev/"])
def test_a_disk_with_a_name_that_is_none_is_refused(mia: Caller, bad: str) -> None:
    disk = {"uuid": make_image(mia), "source_type": "image", "destination_type": "volume", "volume_size": 1}
    body = {"name": "a", "flavorRef": "1", "block_device_mapping_v2": [{**disk, "boot_index": 0, "device_name": bad}]}
    assert "device_name" in mia.post(SERVERS, {"server": body}, 400).text
