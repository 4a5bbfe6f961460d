"""The log while the disk is full."""

from __future__ import annotations

import errno
import io

from tane.logs import PatientStream


class FullDisk(io.StringIO):
    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_full_disk_costs_log_lines_but_ends_nobody_who_logs() -> None:
    disk = FullDisk()
    stream = PatientStream(disk)
    stream.write("before\n")
    disk.full = True
    stream.write("lost\n")
    stream.write("lost too\n")
    disk.full = False
    stream.write("after\n")
    stream.write("later\n")
    assert disk.getvalue() == "before\n2 log lines were lost: the disk was full\nafter\nlater\n"
