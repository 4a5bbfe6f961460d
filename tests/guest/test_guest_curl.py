"""What the guest image's curl makes of what people call it with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

RECIPE = Path(__file__).parents[2] / "src" / "tane" / "guest" / "recipe" / "curl.sh"


@pytest.mark.parametrize(
    ("asked", "wget"),
    [
        (["-s", "http://a/b"], ["-O", "-", "http://a/b"]),
        (["-fsS", "-o", "file", "http://a/b"], ["-O", "file", "http://a/b"]),
        (["-k", "-X", "POST", "https://a"], ["-O", "-", "--no-check-certificate", "--post-data", "", "https://a"]),
        (
            [*("-i", "-X", "POST", "-H", "A: b c", "-H", "D: *", "http://a"), *("--data-binary", '{"status": "$x"}')],
            [*("-O", "-", "--header", "A: b c", "--header", "D: *"), *("--post-data", '{"status": "$x"}', "http://a")],
        ),
    ],
)
def test_what_curl_is_mostly_asked_for_is_asked_of_wget(asked: list[str], wget: list[str], tmp_path: Path) -> None:
    """Also the ``curl_cli`` of a wait condition's handle."""
    (tmp_path / "wget").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "wget").chmod(0o755)
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", str(RECIPE), *asked], env=path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["-q", *wget]
