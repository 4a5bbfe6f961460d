"""The simulated hypervisor keeps the rules of the real one."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from tane.agent.compute.drivers.fake import FakeCompute
from tane.agent.volume.drivers.fake import FakeVolume
from tane.wire.documents import Guest, GuestState, ImageRef, RootDisk
from tane.wire.duties import ComputeDuty, VolumeDuty
from tane.wire.errors import HostError, NotOnHost


def guest() -> Guest:
    image = ImageRef(id="image", digest="0" * 64, disk_format="qcow2", size_bytes=1)
    return Guest(id=str(uuid.uuid4()), name="web", vcpus=1, memory_mb=64, root=RootDisk(image=image))


def test_a_simulated_server_lives_a_servers_life() -> None:
    async def live() -> None:
        compute: ComputeDuty = FakeCompute("host-1")
        assert (await compute.capabilities()).hostname == "host-1"
        one = guest()
        for _ in range(2):
            await compute.create(one)
            await compute.start(one)
        await compute.suspend(one.id)
        with pytest.raises(HostError, match="suspended"):
            await compute.pause(one.id)
        await compute.start(one)
        assert await compute.states() == {one.id: "running"}
        await compute.stop(one.id)
        await compute.destroy(one.id)
        await compute.destroy(one.id)
        assert await compute.state(one.id) == "absent"
        with pytest.raises(NotOnHost):
            await compute.start(one)

    asyncio.run(live())


def test_a_step_fails_as_often_as_asked() -> None:
    async def fail() -> None:
        compute, one, two = FakeCompute(), guest(), guest()
        compute.fail("create", one.id, HostError("no space"), times=2)
        await compute.create(two)
        for _ in range(2):
            with pytest.raises(HostError, match="no space"):
                await compute.create(one)
        await compute.create(one)
        with pytest.raises(ValueError, match="no step"):
            compute.fail("strat", one.id, HostError("typing error"))

    asyncio.run(fail())


def test_the_listener_hears_of_servers_that_end_by_themselves() -> None:
    async def end() -> list[tuple[str, GuestState]]:
        compute, one, two = FakeCompute(), guest(), guest()
        told: list[tuple[str, GuestState]] = []
        await compute.start_duty(lambda guest_id, state: told.append((guest_id, state)))
        for each in (one, two):
            await compute.create(each)
            await compute.start(each)
        compute.power_off(one.id)
        compute.crash(two.id)
        assert told == [(one.id, "stopped"), (two.id, "crashed")]
        return told

    assert asyncio.run(end())


def test_a_simulated_volume_keeps_the_rules_of_a_real_one() -> None:
    async def live() -> None:
        volumes: VolumeDuty = FakeVolume()
        volume_id, snapshot_id = str(uuid.uuid4()), str(uuid.uuid4())
        with pytest.raises(NotOnHost):
            await volumes.export(volume_id)
        await volumes.create(volume_id, 1 << 30)
        await volumes.snapshot(volume_id, snapshot_id)
        assert await volumes.export(volume_id) == await volumes.export(volume_id)
        with pytest.raises(HostError, match="detached"):
            await volumes.revert(volume_id, snapshot_id)
        await volumes.unexport(volume_id)
        await volumes.extend(volume_id, 2 << 30)
        await volumes.revert(volume_id, snapshot_id)
        assert (await volumes.usage(volume_id)).virtual_bytes == 1 << 30
        await volumes.delete(volume_id)
        assert await volumes.volumes() == set()

    asyncio.run(live())
