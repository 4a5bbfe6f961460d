"""What a cloud knows can be kept elsewhere, moved, and brought back."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tane import ids
from tane.app import make_core
from tane.cli.common import State
from tane.config import Config
from tane.db.migrate import HEAD
from tests.ports import free_port

MANIFEST = {"format": 1, "schema": HEAD, "made_at": "2026-01-01T00:00:00+00:00"}
IDS = {"cloud_id": "0a1b2c", "host_id": "f4e3a6a0-0000-4000-8000-000000000000"}
WHOLE = {"tane.db": b"d", "ids.json": json.dumps(IDS).encode(), "admin-password": b"p"}


def tane(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tane.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@contextmanager
def running(folder: Path, port: int) -> Iterator[State]:
    started = tane("up", "--state", folder, "--mode", "simulated", "--port", port)
    assert started.returncode == 0, started.stderr
    try:
        yield State.of(folder)
    finally:
        tane("down", "--state", folder)


def upload(cloud: State, name: str, content: Path) -> None:
    admin = cloud.admin()
    image = admin.call("POST", "/image/v2/images", {"name": name, "disk_format": "raw", "container_format": "bare"})
    admin.upload(f"/image/v2/images/{image['id']}/file", content)


def intact(cloud: State) -> set[str]:
    """Names of the active images, each of which could be downloaded whole: the client compares the sums."""
    images = cloud.admin().call("GET", "/image/v2/images?status=active&limit=1000")["images"]
    for image in images:
        path = cloud.folder / "images" / image["os_hash_value"]
        assert path.stat().st_size == image["size"]
    return {image["name"] for image in images}


def test_a_running_cloud_is_kept_and_brought_back(tmp_path: Path) -> None:
    """Each image that the copy of the database knows is there, whatever was uploaded meanwhile."""
    port, kept = free_port(), tmp_path / "kept.tar"
    with running(tmp_path / "here", port) as cloud:
        (tmp_path / "first").write_bytes(b"first")
        upload(cloud, "first", tmp_path / "first")
        ended = threading.Event()

        def upload_on() -> None:
            for number in range(1000):
                (tmp_path / "next").write_text(f"image {number}")
                upload(cloud, f"next-{number}", tmp_path / "next")
                if ended.is_set():
                    return

        worker = threading.Thread(target=upload_on)
        worker.start()
        done = tane("backup", kept, "--state", cloud.folder)
        ended.set()
        worker.join()
        assert done.returncode == 0, done.stderr
        password = cloud.admin_password()
        assert kept.stat().st_mode & 0o077 == 0, "it holds every secret of the cloud"
        assert "is there already" in tane("backup", kept, "--state", cloud.folder).stderr
        assert "runs" in tane("restore", kept, "--state", cloud.folder).stderr
    assert "--replace" in tane("restore", kept, "--state", tmp_path / "here").stderr
    for folder, more in ((tmp_path / "there", []), (tmp_path / "here", ["--replace"])):
        done = tane("restore", kept, "--state", folder, *more)
        assert done.returncode == 0, done.stderr
        with running(folder, port) as cloud:
            assert cloud.admin_password() == password
            assert "first" in intact(cloud)
        assert not list(folder.glob(".*")), "nothing is left beside it"


def test_a_folder_that_was_moved_is_the_same_cloud(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "content").write_bytes(b"content")
    with running(tmp_path / "here", port) as cloud:
        upload(cloud, "mine", tmp_path / "content")
    shutil.move(tmp_path / "here", tmp_path / "there")
    with running(tmp_path / "there", port) as cloud:
        assert intact(cloud) == {"mine"}


def archive(path: Path, entries: dict[str, bytes], manifest: object = MANIFEST, kind: bytes = tarfile.REGTYPE) -> None:
    first = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    with tarfile.open(path, "w") as out:
        for name, content in {"manifest.json": first, **entries}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.type = tarfile.REGTYPE if name in ("manifest.json", *WHOLE) else kind
            member.linkname = "/etc/passwd"
            out.addfile(member, io.BytesIO(content))


def test_a_backup_goes_through_nothing_that_others_laid_in_its_way(tmp_path: Path) -> None:
    """Its folder may be one that everybody writes to."""
    state = tmp_path / "state"
    state.mkdir()
    ids.of(state)
    make_core(Config(state_dir=state, bcrypt_rounds=4)).close()
    (state / "admin-password").write_text("secret")
    (tmp_path / "victim").write_text("untouched")
    for name in (".b.tar.part", "b.tar.part"):
        (tmp_path / name).symlink_to(tmp_path / "victim")
    assert tane("backup", tmp_path / "b.tar", "--state", state).returncode == 0
    made = tmp_path / "b.tar"
    assert (tmp_path / "victim").read_text() == "untouched"
    assert not made.is_symlink() and made.stat().st_mode & 0o777 == 0o600


def test_objects_that_a_backup_knows_nothing_of_are_told(tmp_path: Path) -> None:
    """Object storage does not begin anew beside them."""
    archive(tmp_path / "b.tar", WHOLE)
    state = tmp_path / "state"
    assert "WARNING" not in tane("restore", tmp_path / "b.tar", "--state", state).stdout
    (state / "objects").mkdir()
    (state / "objects" / "066e3fa8").write_bytes(b"rose")
    (state / "objects.db").write_bytes(b"d")
    done = tane("restore", tmp_path / "b.tar", "--state", state, "--replace")
    assert f"move {state / 'objects'} away, and object storage begins anew" in done.stdout


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "images/../../evil", "host/guests/x", "run/tane.pid", "images"]
)
def test_a_file_puts_nothing_elsewhere(tmp_path: Path, name: str) -> None:
    archive(tmp_path / "b.tar", {**WHOLE, name: b"x"})
    done = tane("restore", tmp_path / "b.tar", "--state", tmp_path / "state")
    assert "does not belong in one" in done.stderr
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("name", ["../../etc/x", "0a1b2c\n", "", "0a1b2g"])
def test_a_file_names_nothing_of_the_machine(tmp_path: Path, name: str) -> None:
    archive(tmp_path / "b.tar", {**WHOLE, "ids.json": json.dumps({**IDS, "cloud_id": name}).encode()})
    done = tane("restore", tmp_path / "b.tar", "--state", tmp_path / "state")
    assert "its ids.json is none of ours" in done.stderr
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_a_file_holds_nothing_but_files(tmp_path: Path, kind: bytes) -> None:
    archive(tmp_path / "b.tar", {**WHOLE, "images/x": b""}, kind=kind)
    done = tane("restore", tmp_path / "b.tar", "--state", tmp_path / "state")
    assert done.returncode == 1
    assert "is no whole backup" in done.stderr
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("entries", "manifest", "reason"),
    [
        ({}, MANIFEST, "tane.db is not in it"),
        (WHOLE, {**MANIFEST, "format": 2}, "format"),
        (WHOLE, {**MANIFEST, "schema": "9999"}, "of schema 9999"),
        (WHOLE, {**MANIFEST, "schema": [HEAD]}, "of schema ["),
        (WHOLE, [], "format"),
        (WHOLE, b"[" * 60_000, "nested too deep"),
        (WHOLE, {**MANIFEST, "made_at": "\x1b[2J"}, "is no whole backup"),
        (WHOLE, {"format": 1, "schema": HEAD}, "is no whole backup"),
    ],
)
def test_what_is_no_backup_of_this_release_is_told(
    tmp_path: Path, entries: dict[str, bytes], manifest: object, reason: str
) -> None:
    archive(tmp_path / "b.tar", entries, manifest)
    assert reason in tane("restore", tmp_path / "b.tar", "--state", tmp_path / "state").stderr
    for part in (0, 700):
        whole = (tmp_path / "b.tar").read_bytes()
        (tmp_path / "part.tar").write_bytes(whole[:part])
        done = tane("restore", tmp_path / "part.tar", "--state", tmp_path / "state")
        assert "is no whole backup" in done.stderr
