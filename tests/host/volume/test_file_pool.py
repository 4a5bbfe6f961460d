"""The file pool: volumes, snapshots and exports, without guests."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tane.agent.images import ImageCache
from tane.agent.volume.drivers import file
from tane.agent.volume.drivers.file import FileVolume
from tane.linux import confine, process
from tane.wire.documents import VolumeConnection
from tane.wire.errors import HostError, NotOnHost
from tane.wire.streams import save
from tests.host.tools import FileImages

pytestmark = pytest.mark.skipif(not shutil.which("qemu-storage-daemon"), reason="qemu-utils is not installed")

MB = 1 << 20
GOOD_ID = "7b1c3a52-0a3f-4d8e-9c55-b6d0a1f2e3c4"
Run = Callable[[Coroutine[Any, Any, Any]], Any]


def new_id() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def state_dir() -> Iterator[Path]:
    # Short, because Unix sockets below it have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="tane-"))
    yield folder
    file.teardown(folder)
    shutil.rmtree(folder)


@pytest.fixture
def images() -> FileImages:
    return FileImages()


@pytest.fixture
def pool(state_dir: Path, images: FileImages) -> FileVolume:
    return FileVolume(state_dir, ImageCache(state_dir / "images", images))


@pytest.fixture
def volume(pool: FileVolume, run: Run) -> str:
    volume_id = new_id()
    run(pool.create(volume_id, 64 * MB))
    return volume_id


def disk_of(state_dir: Path, volume_id: str) -> Path:
    return state_dir / "volumes" / volume_id / "disk.qcow2"


def io(disk: Path, *commands: str) -> str:
    words = [word for command in commands for word in ("-c", command)]
    return subprocess.run(["qemu-io", "-f", "qcow2", *words, str(disk)], capture_output=True, text=True).stdout


def over_network(connection: VolumeConnection, keys: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """Use an export as a guest does; with an empty ``keys`` folder without TLS."""
    options = ["--object", f"tls-creds-psk,id=tls,endpoint=client,dir={keys},username={connection.tls_username}"]
    server = f"server.type=inet,server.host={connection.host},server.port={connection.port}"
    image = f"driver=nbd,{server},export={connection.export}" + (",tls-creds=tls" if any(keys.iterdir()) else "")
    words = [word for command in commands for word in ("-c", command)]
    tls = options if any(keys.iterdir()) else []
    argv = ["qemu-io", *tls, *words, "--image-opts", image]
    return subprocess.run(argv, capture_output=True, text=True, timeout=20)


def write_key(connection: VolumeConnection, folder: Path) -> Path:
    folder.mkdir()
    (folder / "keys.psk").write_text(f"{connection.tls_username}:{connection.tls_key}\n")
    return folder


def test_a_deleted_volume_leaves_no_file(pool: FileVolume, volume: str, run: Run, state_dir: Path) -> None:
    run(pool.export(volume))
    run(pool.snapshot(volume, new_id()))
    run(pool.delete(volume))
    run(pool.delete(volume))
    assert list((state_dir / "volumes").iterdir()) == []
    assert run(pool.volumes()) == set()


def test_creating_a_volume_again_keeps_its_data(pool: FileVolume, volume: str, run: Run, state_dir: Path) -> None:
    io(disk_of(state_dir, volume), "write -P 7 0 64k")
    run(pool.create(volume, 64 * MB))
    assert "Pattern verification failed" not in io(disk_of(state_dir, volume), "read -P 7 0 64k")


def test_an_exported_volume_has_one_connection_until_it_is_unexported(pool: FileVolume, volume: str, run: Run) -> None:
    first = run(pool.export(volume))
    assert run(pool.export(volume)) == first
    assert run(pool.exports()) == {volume}
    run(pool.unexport(volume))
    run(pool.unexport(volume))
    assert run(pool.exports()) == set()
    assert run(pool.export(volume)).tls_key != first.tls_key


def test_an_export_needs_its_key(pool: FileVolume, volume: str, run: Run, tmp_path: Path) -> None:
    connection = run(pool.export(volume))
    good = over_network(connection, write_key(connection, tmp_path / "good"), "write -P 9 0 64k")
    assert "wrote 65536" in good.stdout
    empty = tmp_path / "empty"
    empty.mkdir()
    assert over_network(connection, empty, "read 0 64k").returncode
    wrong = VolumeConnection(
        host=connection.host, port=connection.port, export=volume, tls_username="tane", tls_key="ab" * 32
    )
    assert over_network(connection, write_key(wrong, tmp_path / "wrong"), "read 0 64k").returncode


def test_keys_are_read_by_the_agent_and_the_exporter_only(
    pool: FileVolume, volume: str, run: Run, state_dir: Path
) -> None:
    run(pool.export(volume))
    folder = state_dir / "volumes" / volume
    assert (folder / "export.json").stat().st_mode & 0o777 == 0o600
    keys = (folder / "keys/keys.psk").stat()
    exporter = confine.identity(f"volume-{volume}")
    assert keys.st_mode & 0o777 == (0o600 if exporter is None else 0o640)
    assert (keys.st_uid, keys.st_gid) == (os.geteuid(), os.getegid() if exporter is None else exporter.gid)


def test_a_read_only_export_refuses_writing(pool: FileVolume, volume: str, run: Run, tmp_path: Path) -> None:
    connection = run(pool.export(volume, read_only=True))
    done = over_network(connection, write_key(connection, tmp_path / "keys"), "write 0 64k")
    assert "wrote" not in done.stdout


def test_a_killed_exporter_comes_back_with_the_same_connection(
    pool: FileVolume, volume: str, run: Run, state_dir: Path
) -> None:
    first = run(pool.export(volume))
    pidfile = state_dir / "volumes" / volume / "exporter.pid"
    process.send_signal(pidfile, signal.SIGKILL)
    while process.alive(pidfile):
        os.sched_yield()
    assert run(pool.exports()) == {volume}
    assert run(pool.export(volume)) == first
    assert process.alive(pidfile)


def test_dead_exporters_are_revived_and_one_that_cannot_be_is_told(
    pool: FileVolume, volume: str, run: Run, state_dir: Path
) -> None:
    other = str(uuid.uuid4())
    run(pool.create(other, 1 << 20))
    connections = {volume_id: run(pool.export(volume_id)) for volume_id in (volume, other)}
    assert run(pool.revive_exports()) == {}
    for volume_id in (volume, other):
        pidfile = state_dir / "volumes" / volume_id / "exporter.pid"
        process.send_signal(pidfile, signal.SIGKILL)
        while process.alive(pidfile):
            os.sched_yield()
    disk = state_dir / "volumes" / other / "disk.qcow2"
    disk.write_bytes(b"no qcow2 any more")
    revived = run(pool.revive_exports())
    assert revived[volume] == ""
    assert "cannot be exported" in revived[other]
    assert process.alive(state_dir / "volumes" / volume / "exporter.pid")
    assert run(pool.export(volume)) == connections[volume]


def test_another_pool_object_finds_the_exports(
    pool: FileVolume, volume: str, run: Run, state_dir: Path, images: FileImages
) -> None:
    first = run(pool.export(volume))
    again = FileVolume(state_dir, ImageCache(state_dir / "images", images))
    assert run(again.export(volume)) == first


@pytest.mark.parametrize("exported", [False, True])
def test_a_volume_from_a_snapshot_holds_the_old_data(
    pool: FileVolume, volume: str, run: Run, state_dir: Path, tmp_path: Path, exported: bool
) -> None:
    snapshot_id, copy = new_id(), new_id()
    disk = disk_of(state_dir, volume)
    io(disk, "write -P 1 0 1M")
    if exported:
        connection = run(pool.export(volume))
        run(pool.snapshot(volume, snapshot_id))
        keys = write_key(connection, tmp_path / "keys")
        assert "wrote" in over_network(connection, keys, "write -P 2 0 1M").stdout
    else:
        run(pool.snapshot(volume, snapshot_id))
        io(disk, "write -P 2 0 1M")
    run(pool.snapshot(volume, snapshot_id))
    run(pool.create_from_snapshot(copy, 96 * MB, volume, snapshot_id))
    assert "failed" not in io(disk_of(state_dir, copy), "read -P 1 0 1M")
    assert run(pool.usage(copy)).virtual_bytes == 96 * MB
    run(pool.delete_snapshot(volume, snapshot_id))
    run(pool.delete_snapshot(volume, snapshot_id))
    with pytest.raises(NotOnHost, match="no snapshot"):
        run(pool.create_from_snapshot(new_id(), 96 * MB, volume, snapshot_id))


def test_an_exported_volume_can_be_copied_and_uploaded(
    pool: FileVolume, volume: str, run: Run, state_dir: Path, tmp_path: Path
) -> None:
    io(disk_of(state_dir, volume), "write -P 5 0 1M")
    run(pool.export(volume))
    copy = new_id()
    run(pool.create_from_volume(copy, 64 * MB, volume))
    assert "failed" not in io(disk_of(state_dir, copy), "read -P 5 0 1M")
    size = run(save(pool.upload(volume, "raw"), tmp_path / "image.raw", 1 << 33))
    assert size == 64 * MB
    assert (tmp_path / "image.raw").read_bytes()[: 1 * MB] == b"\5" * MB
    about = subprocess.run(["qemu-img", "snapshot", "-U", "-l", str(disk_of(state_dir, volume))], capture_output=True)
    assert about.stdout == b""


def test_a_volume_is_set_back_to_its_snapshot_only_when_detached(
    pool: FileVolume, volume: str, run: Run, state_dir: Path
) -> None:
    disk, snapshot_id = disk_of(state_dir, volume), new_id()
    io(disk, "write -P 1 0 64k")
    run(pool.snapshot(volume, snapshot_id))
    io(disk, "write -P 2 0 64k")
    run(pool.export(volume))
    with pytest.raises(HostError, match="detached"):
        run(pool.revert(volume, snapshot_id))
    run(pool.unexport(volume))
    run(pool.revert(volume, snapshot_id))
    assert "failed" not in io(disk, "read -P 1 0 64k")


def test_an_extended_volume_keeps_its_data(
    pool: FileVolume, volume: str, run: Run, state_dir: Path, tmp_path: Path
) -> None:
    io(disk_of(state_dir, volume), "write -P 3 0 64k")
    run(pool.extend(volume, 80 * MB))
    connection = run(pool.export(volume))
    run(pool.extend(volume, 128 * MB))
    run(pool.extend(volume, 128 * MB))
    assert run(pool.usage(volume)).virtual_bytes == 128 * MB
    keys = write_key(connection, tmp_path / "keys")
    assert "failed" not in over_network(connection, keys, "read -P 3 0 64k", "write 127M 64k").stdout
    with pytest.raises(HostError, match="cannot shrink"):
        run(pool.extend(volume, MB))


def test_a_volume_from_an_image_holds_the_image(
    pool: FileVolume, run: Run, state_dir: Path, tmp_path: Path, images: FileImages
) -> None:
    (tmp_path / "image.raw").write_bytes(b"\4" * MB)
    image = images.add(tmp_path / "image.raw", "raw")
    volume_id = new_id()
    run(pool.create_from_image(volume_id, 32 * MB, image))
    assert "failed" not in io(disk_of(state_dir, volume_id), "read -P 4 0 1M")
    small = new_id()
    with pytest.raises(HostError, match="the volume has only"):
        run(pool.create_from_image(small, 4096, image))
    assert not (state_dir / "volumes" / small).exists()


@pytest.mark.parametrize("bad", ["", "x", "../other", "A" * 36, GOOD_ID.upper(), f"{GOOD_ID}/.."])
def test_an_id_that_is_no_uuid_is_refused(pool: FileVolume, run: Run, bad: str) -> None:
    with pytest.raises(HostError, match="not an id"):
        run(pool.create(bad, MB))
    with pytest.raises(HostError, match="not an id"):
        run(pool.delete(bad))


def test_an_absent_volume_is_told(pool: FileVolume, run: Run) -> None:
    with pytest.raises(NotOnHost, match="not in this pool"):
        run(pool.export(new_id()))


def test_teardown_ends_the_exporters_and_keeps_the_volumes(
    pool: FileVolume, volume: str, run: Run, state_dir: Path
) -> None:
    run(pool.export(volume))
    pid = process.read_pid(state_dir / "volumes" / volume / "exporter.pid")
    assert pid
    file.teardown(state_dir)
    assert not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    assert run(pool.volumes()) == {volume}


@pytest.mark.root
def test_a_full_disk_is_told_and_leaves_no_file(run: Run, images: FileImages, tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="tane-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=True)
    try:
        (tmp_path / "image.raw").write_bytes(os.urandom(2 * MB))
        image = images.add(tmp_path / "image.raw", "raw")
        pool = FileVolume(folder, ImageCache(folder / "images", images))
        volume_id = new_id()
        with pytest.raises(HostError, match="no space is left on the host's disk"):
            run(pool.create_from_image(volume_id, 4 * MB, image))
        assert not (folder / "volumes" / volume_id).exists()
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def test_what_a_killed_agent_left_of_a_copy_is_gone_when_the_next_begins(
    pool: FileVolume, volume: str, state_dir: Path
) -> None:
    folder = state_dir / "volumes" / volume
    for name in ("image", "content", "restored", ".content.4711.part"):
        (folder / name).write_bytes(b"half of it")
    pool.clear()
    assert sorted(path.name for path in folder.iterdir()) == ["disk.qcow2"]


def test_a_copy_that_has_no_room_is_not_begun(
    pool: FileVolume, volume: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot_id, full = new_id(), os.statvfs("/")
    run(pool.snapshot(volume, snapshot_id))

    async def read() -> None:
        async for _ in pool.content(volume, snapshot_id):
            pass

    run(read())
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result((*full[:4], 0, *full[5:])))
    with pytest.raises(HostError, match="the pool has 0 left"):
        run(read())
