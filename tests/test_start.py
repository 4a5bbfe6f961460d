"""What a command loads before it does anything: each one waits for it."""

from __future__ import annotations

import subprocess
import sys


def test_the_command_line_starts_without_the_cloud() -> None:
    """Libraries that take more than the commands themselves are loaded by those that need them."""
    code = (
        "import sys, tane.cli; print(*sorted({'sqlalchemy', 'falcon', 'uvicorn', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
