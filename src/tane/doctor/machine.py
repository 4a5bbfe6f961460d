"""How the checks look at the machine; tests put another one in its place."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tane.linux import programs


class Machine:
    """Files, programs and commands of this machine. Nothing here changes anything."""

    def read(self, path: str) -> str | None:
        """A file's text, or None when it cannot be read."""
        try:
            return Path(path).read_text(errors="replace").strip()
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        return Path(path).exists()

    def mode(self, path: str) -> int | None:
        """Permission bits, or None when there is nothing."""
        try:
            return Path(path).stat().st_mode & 0o7777
        except OSError:
            return None

    def which(self, program: str) -> str | None:
        return programs.find(program)

    def run(self, *command: str, seconds: float = 10.0) -> tuple[int, str]:
        """Exit status and output of a harmless command; 127 when it is not there."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return 127, str(error)
        return done.returncode, done.stdout + done.stderr

    def free_bytes(self, path: str) -> int:
        disk = os.statvfs(path)
        return disk.f_bavail * disk.f_frsize

    def is_root(self) -> bool:
        return os.geteuid() == 0

    def environment(self, name: str) -> str:
        return os.environ.get(name, "")

    def process_names(self) -> set[str]:
        """Names of all running programs."""
        found = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                name = self.read(f"/proc/{entry.name}/comm")
                if name:
                    found.add(name)
        return found
