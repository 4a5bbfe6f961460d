"""What runs on this machine for a cloud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def running_below(folder: Path) -> Iterator[tuple[int, str, str]]:
    """(pid, program, working folder) of every process that runs in a folder below this one: a cloud's engines do."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            program = (entry / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
            place = str((entry / "cwd").readlink())
        except OSError:
            continue
        if place.startswith(f"{folder}/"):
            yield int(entry.name), Path(program).name, place
