"""``tane test``: the tests, set up and run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import typer

from tane.cli.packages import install_missing_packages
from tane.linux import programs

ROOT = Path(__file__).parents[3]
SLOWEST = "--durations=20"


def test(context: typer.Context) -> None:
    """Run the linters, the type checker and every test this machine allows; further arguments go to pytest."""
    install_missing_packages(programs.TESTS)
    python = [sys.executable, "-m"]
    steps = [
        [*python, "ruff", "check", "."],
        [*python, "ruff", "format", "--check", "."],
        [*python, "mypy"],
        [str(Path(sys.executable).with_name("lint-imports"))],
        [sys.executable, "tools/check_layout.py"],
        [*python, "pytest", *(context.args or ["-n", str(os.cpu_count() or 1), "--dist", "loadfile", SLOWEST])],
    ]
    if context.args:
        steps = steps[-1:]
    for step in steps:
        done = subprocess.run(step, cwd=ROOT, check=False)
        if done.returncode != 0:
            sys.exit(done.returncode)
