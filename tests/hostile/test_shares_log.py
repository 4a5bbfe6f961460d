"""The log takes only so much of the disk, and all of it is JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOISY = """
import asyncio, gc, logging, sys, pathlib, structlog
from tane import logs
logs.configure("info", logs.LogFile(pathlib.Path(sys.argv[1]), 200_000, 2))
log = structlog.get_logger()
for number in range(int(sys.argv[2])):
    log.info("noise", number=number, text="x" * 200)
print("a line of standard error", file=sys.stderr)

async def lost():
    async def fail():
        raise ValueError("nobody asked")
    task = asyncio.create_task(fail())
    await asyncio.sleep(0.01)
    del task
    gc.collect()

asyncio.run(lost())
logging.getLogger("somebody.else").warning("a warning of %s", "a library")
"""


def run(log: Path, count: int) -> None:
    with log.open("ab") as output:
        subprocess.run(
            [sys.executable, "-c", NOISY, str(log), str(count)], check=True, stdout=output, stderr=output, timeout=60
        )


def test_the_log_begins_anew_and_keeps_a_few_older_ones(tmp_path: Path) -> None:
    log = tmp_path / "tane.log"
    run(log, 5000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tane.log", "tane.log.1", "tane.log.2"]
    assert all(path.stat().st_size < 400_000 for path in tmp_path.iterdir())
    assert all(path.stat().st_mode & 0o077 == 0 for path in [log])
    numbers = [json.loads(line)["number"] for line in log.read_text().splitlines() if '"noise"' in line]
    assert numbers == list(range(numbers[0], 5000))
    assert "a line of standard error" in log.read_text()


def test_a_log_that_cannot_begin_anew_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "tane.log"
    # A folder in the way of the older log: nothing can be moved there.
    (tmp_path / "tane.log.1" / "in the way").mkdir(parents=True)
    (tmp_path / "tane.log.2" / "in the way").mkdir(parents=True)
    run(log, 3000)
    numbers = [json.loads(line)["number"] for line in log.read_text().splitlines() if '"noise"' in line]
    assert numbers == list(range(3000))


@pytest.mark.parametrize("words", ["nobody asked", "a warning of a library"])
def test_what_libraries_and_lost_tasks_say_is_json_too(tmp_path: Path, words: str) -> None:
    log = tmp_path / "tane.log"
    run(log, 1)
    [line] = [line for line in log.read_text().splitlines() if words in line]
    event = json.loads(line)
    assert event["logger"] in ("asyncio", "somebody.else")
    assert event["level"] in ("error", "warning")
