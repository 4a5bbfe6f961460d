"""Who runs where while it happens: a server that runs on two machines at once is seen in no state that comes after."""

from __future__ import annotations

import threading
from collections import defaultdict
from pathlib import Path

from chaos.faults import processes
from tests.e2e.real import RealCloud

SECONDS = 1.0
IN_A_ROW = 3
"""In one look both may have run one after the other, when a server moves."""


def _worked(pid: int) -> int:
    """Clock ticks that the processors of a guest have worked (proc(5)): those of one that waits for its memory, or was
    stopped when it was sent, do not go on."""
    ticks = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().startswith("CPU "):
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks


class Witness:
    """``seen``: a sentence for each server that worked on more machines than one."""

    def __init__(self, cloud: RealCloud) -> None:
        self._cloud = cloud
        self._before: dict[int, int] = {}
        self._times: defaultdict[str, int] = defaultdict(int)
        self.seen: list[str] = []

    def run(self, stop: threading.Event) -> None:
        """Look once a second until told to stop."""
        while not stop.wait(SECONDS):
            self.look()

    def look(self) -> None:
        """Compare what each guest's process did since the last look."""
        now: dict[int, int] = {}
        at_work: defaultdict[str, list[str]] = defaultdict(list)
        for pid, folder in processes(self._cloud, "qemu-system"):
            place, found, rest = folder.partition("/host/guests/")
            if not found:
                continue
            try:
                now[pid] = _worked(pid)
            except OSError:
                # It ended meanwhile.
                continue
            if now[pid] > self._before.get(pid, now[pid]):
                at_work[rest.split("/")[0]].append(Path(place).name)
        self._before = now
        for server_id in [*self._times]:
            if len(at_work[server_id]) < 2:
                del self._times[server_id]
        for server_id, places in at_work.items():
            if len(places) > 1:
                self._times[server_id] += 1
                if self._times[server_id] == IN_A_ROW:
                    self.seen.append(f"server {server_id} runs on {' and '.join(sorted(places))} at once")
