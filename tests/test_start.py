"""What a command loads before it does anything: each one waits for it."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from tane.cli.common import State


def test_the_command_line_starts_without_the_cloud() -> None:
    """Libraries that take more than the commands themselves are loaded by those that need them."""
    heavy = {"sqlalchemy", "falcon", "uvicorn", "uvloop", "cryptography"}
    code = f"import sys, tane.cli.app; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_one_who_starts_a_cloud_waits_for_another_who_does(tmp_path: Path) -> None:
    done: list[str] = []

    def second() -> None:
        with State(tmp_path).alone():
            done.append("second")

    with State(tmp_path).alone():
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.2)
        done.append("first")
    waiting.join(10)
    assert done == ["first", "second"]
