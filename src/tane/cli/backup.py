"""``tane backup`` and ``tane restore``: what a cloud knows, in one file.

The file is a tar archive that begins with its manifest: the database, settings, ids, keys, the administrator's
password, the images, the objects and the metrics of the state folder. What servers and volumes hold is not in it: that
lies on the hosts.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Any

import typer

from tane import ids
from tane.cli.common import DEFAULT_STATE, State
from tane.cli.options import StateOption
from tane.config import Config, ConfigError

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "tane.db"
APART = ("objects.db", "metrics.db")
"""The rows of object storage and what was measured, where there are any."""
FILES = ("tane.toml", "policy.yaml", "ids.json", "admin-password")
FOLDERS = ("tls", "images", "objects")
NOT_YET = "incoming"
"""The folder of uploads that are under way."""

BackupFile = Annotated[str, typer.Argument(metavar="FILE", help="The backup's file; - for standard input or output.")]


def backup(file: BackupFile, state: StateOption = DEFAULT_STATE) -> None:
    """Write what the cloud knows into one file, while it runs or not. It holds secrets: keep it like them."""
    from tane.db.migrate import HEAD

    files = State.of(state)
    files.require()
    if files.config().database_url:
        sys.exit("tane: database_url names a PostgreSQL database: back it up with pg_dump, and the folder beside it")
    if file == "-" and sys.stdout.isatty():
        sys.exit("tane: a backup is no text for a terminal; name a file")
    target = Path(file)
    if file != "-" and target.exists():
        sys.exit(f"tane: {target} is there already")
    manifest = {"format": FORMAT, "schema": HEAD, "made_at": datetime.now(UTC).isoformat(timespec="seconds")}
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=files.folder) as copies:
        try:
            _copy(files.folder, Path(copies))
        except (OSError, sqlite3.Error) as error:
            sys.exit(f"tane: the cloud in {files.folder} cannot be copied there, which a backup begins with: {error}")
        if file == "-":
            _write(manifest, Path(copies), sys.stdout.buffer)
            return
        part = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
        try:
            # In a folder that others may write to, what is there already under a name is theirs.
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as out:
                _write(manifest, Path(copies), out)
            part.replace(target)
        except OSError as error:
            sys.exit(f"tane: {target} cannot be written: {error.strerror}")
        finally:
            part.unlink(missing_ok=True)
    print(f"tane: {target} holds the cloud in {files.folder}; what servers and volumes hold is not in it")
    if told := _on_hosts(files.config()):
        print(told)


def _on_hosts(config: Config) -> str:
    """What is told of objects whose bytes lie in copies on hosts; nothing where there are none."""
    from tane.services.object import checks
    from tane.services.object.store import copies

    for database in checks.opened(config):
        with database.read() as tx:
            count, size = copies.bytes_on_hosts(tx)
        if count:
            return (
                f"tane: nor is what {count} objects hold in copies on hosts ({size / (1 << 30):.1f} GiB): "
                "it stays there, and a restored cloud finds what was not deleted since"
            )
    return ""


def restore(
    file: BackupFile,
    state: StateOption = DEFAULT_STATE,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in place of the cloud that is there.")] = False,
) -> None:
    """Put a backup into a state folder, whose cloud does not run. What its host holds is left as it is."""
    from tane.services.object import checks

    files = State.of(state)
    if file != "-" and not Path(file).is_file():
        sys.exit(f"tane: there is no file {file}")
    new = not files.folder.exists()
    files.prepare()
    if files.running():
        sys.exit(f"tane: the cloud in {files.folder} runs: ./tane down first")
    if not replace and (files.folder / DATABASE).exists():
        sys.exit(f"tane: there is a cloud in {files.folder}: name another folder, or give --replace")
    doing = f"{file} is no whole backup"
    try:
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=files.folder) as unpacked:
            with _source(file) as source, tarfile.open(fileobj=source, mode="r|") as archive:
                manifest = _unpack(archive, Path(unpacked))
            _refuse_anothers(Path(unpacked), files.folder)
            doing = f"the backup could not be put into {files.folder}, and is to be restored again"
            _put(Path(unpacked), files.folder)
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        if new:
            shutil.rmtree(files.folder)
        sys.exit(f"tane: {doing}: {error}")
    print(f"tane: the cloud of {manifest['made_at']} is in {files.folder}; ./tane up starts it")
    for finding in checks.without_rows(Config(state_dir=files.folder)):
        print(f"tane: WARNING: {finding.what} What to do: {finding.mend}")
    print(
        "tane: its settings came with it (tane.toml, policy.yaml, tls/): "
        "of a backup that is not your own, look through them first"
    )


def _refuse_anothers(unpacked: Path, folder: Path) -> None:
    """What the host of a cloud holds stays in its folder, and would be another's then. Exits."""
    there = ids.read(folder)
    if there is not None and there != ids.read(unpacked):
        sys.exit(f"tane: the backup is of another cloud than the one in {folder}: restore it into another folder")


# ------------------------------------------------------------------------------------------------------ writing one


def _copy(folder: Path, copies: Path) -> None:
    """Copies that no longer change. Images and objects before the databases, and those that came meanwhile after them:
    each that a database knows is there."""
    _link_folders(folder, copies)
    for name in FILES:
        if (folder / name).exists():
            shutil.copyfile(folder / name, copies / name)
    for name in (DATABASE, *APART):
        if name in APART and not (folder / name).exists():
            continue
        with closing(sqlite3.connect(f"file:{folder / name}?mode=ro", uri=True, timeout=60)) as database:
            database.execute("VACUUM INTO ?", (str(copies / name),))
    _link_folders(folder, copies)


def _link_folders(folder: Path, copies: Path) -> None:
    """Links suffice, since no file in these folders is ever written a second time."""
    for name in FOLDERS:
        for path in (folder / name).rglob("*"):
            place = path.relative_to(folder)
            if not path.is_file() or NOT_YET in place.parts or path.name.startswith(".") or (copies / place).exists():
                continue
            (copies / place).parent.mkdir(parents=True, exist_ok=True)
            try:
                (copies / place).hardlink_to(path)
            except FileNotFoundError:
                continue  # It was deleted meanwhile.


def _write(manifest: dict[str, Any], copies: Path, out: IO[bytes]) -> None:
    with tarfile.open(fileobj=out, mode="w|") as archive:
        text = json.dumps(manifest).encode()
        head = tarfile.TarInfo(MANIFEST)
        head.size = len(text)
        archive.addfile(head, io.BytesIO(text))
        for path in sorted(copies.rglob("*")):
            if path.is_file():
                archive.add(path, str(path.relative_to(copies)), recursive=False, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nothing of this machine's users; a file that has other names is written as one of its own."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


# ---------------------------------------------------------------------------------------------------- reading one


def _source(file: str) -> IO[bytes]:
    return sys.stdin.buffer if file == "-" else Path(file).open("rb")


def _unpack(archive: tarfile.TarFile, unpacked: Path) -> dict[str, Any]:
    """:raises ValueError: it is another thing than a backup, or one of another release."""
    members = iter(archive)
    manifest = _manifest(archive, next(members, None))
    for member in members:
        content = archive.extractfile(member)
        if content is None or member.issparse() or not _is_ours(member.name):
            raise ValueError(f"{member.name!r} does not belong in one")
        if member.size > shutil.disk_usage(unpacked).free:
            raise ValueError(f"there is no room for {member.name!r}, which has {member.size} bytes")
        target = unpacked / member.name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            shutil.copyfileobj(content, out, 1 << 20)
    missing = [name for name in (DATABASE, "ids.json", "admin-password") if not (unpacked / name).exists()]
    if missing:
        raise ValueError(f"{missing[0]} is not in it")
    try:
        ids.read(unpacked)
    except ConfigError:
        raise ValueError("its ids.json is none of ours") from None
    return manifest


def _manifest(archive: tarfile.TarFile, member: tarfile.TarInfo | None) -> dict[str, Any]:
    from tane.db.migrate import HEAD, upgradable

    content = archive.extractfile(member) if member is not None and member.name == MANIFEST else None
    if content is None:
        raise ValueError("it does not begin with a manifest")
    try:
        manifest = json.loads(content.read(1 << 16))
    except RecursionError:
        raise ValueError("its manifest is nested too deep") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError("its format is not of this release")
    if str(manifest.get("schema")) not in upgradable():
        raise ValueError(f"its database is of schema {manifest.get('schema')}, this release has {HEAD}")
    made_at = datetime.fromisoformat(str(manifest.get("made_at")))
    return {**manifest, "made_at": made_at.isoformat(timespec="seconds")}


def _is_ours(name: str) -> bool:
    path = PurePosixPath(name)
    if name in (DATABASE, *APART, *FILES):
        return True
    return len(path.parts) > 1 and path.parts[0] in FOLDERS and ".." not in path.parts and str(path) == name


def _put(unpacked: Path, folder: Path) -> None:
    """The database last: before it there is no cloud, and a restore that was broken off is done again."""
    for database in (DATABASE, *APART):
        for name in (database, f"{database}-wal", f"{database}-shm"):
            (folder / name).unlink(missing_ok=True)
    for path in _files(unpacked):
        target = folder / path.relative_to(unpacked)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    (unpacked / DATABASE).replace(folder / DATABASE)


def _files(unpacked: Path) -> Iterator[Path]:
    return (path for path in sorted(unpacked.rglob("*")) if path.is_file() and path.name != DATABASE)
