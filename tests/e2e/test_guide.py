"""The guide is run as it stands: each command is one a user may type."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.real import MARKS, SSH_OPTIONS, RealCloud

pytestmark = [*MARKS, pytest.mark.nightly]

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "tour.md"


def commands() -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.S))


def test_every_command_of_the_tour_works(real: RealCloud, tmp_path: Path) -> None:
    script = "\n".join(
        [
            "set -eux -o pipefail",
            f'ssh() {{ ip netns exec {real.outside} ssh {" ".join(SSH_OPTIONS)} "$@"; }}',
            commands(),
        ]
    )
    lines = real.tane("openrc").splitlines()
    credentials = dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))
    environment = {
        **os.environ,
        **{name: value.strip("'") for name, value in credentials.items()},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
