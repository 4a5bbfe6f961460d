"""What a command loads before it does anything: each one waits for it."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tane.cli import down
from tane.cli.common import State


def test_the_command_line_starts_without_the_cloud() -> None:
    """Libraries that take more than the commands themselves are loaded by those that need them."""
    heavy = {"sqlalchemy", "falcon", "uvicorn", "uvloop", "cryptography"}
    code = f"import sys, tane.cli.app; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_what_changes_tables_does_not_stay_in_the_process_that_does(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from tane.app import make_core
from tane.cli import processes
from tane.cli.common import State
state = State(Path({str(tmp_path)!r}))
config = state.config()
assert processes._bring_up_beside(state, config).wait() == 0
assert processes._bring_up_beside(state, config) is None
make_core(config).close()
print("alembic" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


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


def test_a_folder_with_other_things_is_no_state_folder(tmp_path: Path) -> None:
    """It would go with the cloud."""
    (tmp_path / "precious").write_text("mine")
    before = tmp_path.stat().st_mode
    with pytest.raises(SystemExit, match="holds other things"):
        State.of(tmp_path).prepare()
    down.down(tmp_path, purge=True)
    assert (tmp_path / "precious").read_text() == "mine" and tmp_path.stat().st_mode == before


def test_a_folder_with_settings_or_of_a_cloud_is_one(tmp_path: Path) -> None:
    (tmp_path / "tane.toml").write_text("port = 8770\n")
    state = State.of(tmp_path)
    state.prepare()
    assert state.admin_password()[0].isalpha()
    (tmp_path / "note").write_text("whatever")
    state.prepare()
