"""The system packages a whole cloud needs: installed as root, else the command that does is printed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType

from tane.linux import programs


def install_missing_packages(more: Mapping[str, str] = MappingProxyType({})) -> None:
    """As root on Debian or Ubuntu, install what is missing of what a cloud needs and of ``more`` (program → package);
    else print the command that would."""
    wanted = programs.missing_packages({**programs.CLOUD, **more}, libraries=programs.LIBRARIES, files=programs.FILES)
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
