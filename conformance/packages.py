"""Strangers' programs, each in a virtual environment of its own in the user's cache, at a pinned version."""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path


def install(name: str, packages: tuple[str, ...]) -> Path:
    """Install ``packages`` from PyPI as ``name``, once; returns the folder of programs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tane" / name
    programs = cache / "bin"
    whole = cache / "installed"
    if not whole.exists():
        print(f"conformance: installing {', '.join(packages)} into {cache}", flush=True)
        venv.create(cache, with_pip=True)
        command = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, *packages], check=True)
        whole.touch()
    return programs
