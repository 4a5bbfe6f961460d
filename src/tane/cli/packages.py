"""The system packages a whole cloud needs: installed as root, else the command that does is printed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType

from tane.linux import programs

NOTHING: Mapping[str, str] = MappingProxyType({})


def install_missing_packages(more: Mapping[str, str] = NOTHING, files: Mapping[str, str] = NOTHING) -> None:
    """As root on Debian or Ubuntu, install what is missing of what a cloud needs, of ``more`` (program → package) and
    of ``files`` (path → package); else print the command that would."""
    found = {**programs.FILES, **files}
    wanted = programs.missing_packages({**programs.CLOUD, **more}, libraries=programs.LIBRARIES, files=found)
    if not wanted:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *wanted]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"tane: not installed on this machine: {', '.join(wanted)}. To have it all:", file=sys.stderr)
        print(f"    sudo {' '.join(command)}", file=sys.stderr)
        return
    print(f"tane: installing {' '.join(wanted)}", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "update", "-q"], command):
        done = subprocess.run(step, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"tane: {' '.join(step)} failed: {done.stderr.strip()[-500:]}", file=sys.stderr)
            return
