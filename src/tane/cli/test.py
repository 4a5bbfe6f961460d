"""``tane test``: the tests, set up and run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from tane.cli.packages import install_missing_packages
from tane.linux import programs

ROOT = Path(__file__).parents[3]
SLOWEST = "--durations=20"


def test(
    context: typer.Context,
    nightly: Annotated[bool, typer.Option("--nightly", help="Instead, the tests that take many minutes.")] = False,
) -> None:
    """Run the linters, the type checker and every test this machine allows; further arguments go to pytest."""
    environment = dict(os.environ)
    if nightly:
        wanted = {**programs.TESTS, **programs.NIGHTLY, **programs.DEBIAN_IMAGE, **programs.BROWSER}
        install_missing_packages(wanted, programs.SCREENS)
        steps = [[sys.executable, "-m", "pytest", "-m", "nightly", SLOWEST, *context.args]]
        # Who asks for these wants to know, so what is missing is a failure.
        environment["TANE_REQUIRE_ALL"] = "1"
    else:
        install_missing_packages({**programs.TESTS, **programs.BROWSER}, programs.SCREENS)
        steps = daily(context.args)
    for step in steps:
        done = subprocess.run(step, cwd=ROOT, env=environment, check=False)
        if done.returncode != 0:
            sys.exit(done.returncode)


def daily(arguments: list[str]) -> list[list[str]]:
    """The commands that check everything, or with arguments for pytest that alone."""
    python = [sys.executable, "-m"]
    if arguments:
        return [[*python, "pytest", *arguments]]
    return [
        [*python, "ruff", "check", "."],
        [*python, "ruff", "format", "--check", "."],
        [*python, "mypy"],
        [str(Path(sys.executable).with_name("lint-imports"))],
        [sys.executable, "tools/check_layout.py"],
        [*python, "pytest", "-n", str(os.cpu_count() or 1), "--dist", "loadfile", "--no-loadscope-reorder", SLOWEST],
    ]
