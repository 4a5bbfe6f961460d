"""How the cloud logs: one line of JSON per event on standard output, or plain text on a terminal."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import sys
import threading
import traceback
from pathlib import Path
from typing import TextIO

import structlog

OUTPUT, ERRORS = 1, 2
"""The descriptors of standard output and standard error."""
LOOK_BYTES = 64 << 10
"""How much is written between two looks at the file's size."""


class LogFile:
    """The file that standard output and standard error of this process go to. At ``most`` bytes it begins anew; as
    many older ones as ``kept`` stay beside it, the newest with ``.1`` at the end of its name."""

    def __init__(self, path: Path, most: int, kept: int) -> None:
        self.path, self.most, self.kept = path, most, kept

    def begin_anew_when_long(self) -> None:
        """:raises OSError: it cannot; the old one goes on then."""
        there = os.fstat(OUTPUT)
        if there.st_size < self.most or not self._is_ours(there):
            return
        for number in range(self.kept, 0, -1):
            older = self._older(number - 1) if number > 1 else self.path
            if older.exists():
                older.replace(self._older(number))
        fresh = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            for descriptor in (OUTPUT, ERRORS):
                if os.path.samestat(os.fstat(descriptor), there):
                    os.dup2(fresh, descriptor)
        finally:
            os.close(fresh)

    def _is_ours(self, there: os.stat_result) -> bool:
        return stat.S_ISREG(there.st_mode) and self.path.exists() and os.path.samestat(self.path.stat(), there)

    def _older(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


class PatientStream:
    """A text stream that drops lines while its disk is full, and tells how many when it is not any more.

    A log that raised would end whatever wanted to log, most of all what handles errors. ``file``: where the stream
    ends, which is kept short.
    """

    def __init__(self, stream: TextIO, file: LogFile | None = None) -> None:
        self._stream, self._file = stream, file
        self._lost = 0
        self._unlooked = 0
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        with self._lock:
            self._keep_short(len(text))
            return self._write(text)

    def _keep_short(self, more: int) -> None:
        self._unlooked += more
        if self._file is None or self._unlooked < LOOK_BYTES:
            return
        self._unlooked = 0
        # What could not be begun anew goes on as it is: there is nowhere to tell.
        with contextlib.suppress(OSError):
            self._file.begin_anew_when_long()

    def _write(self, text: str) -> int:
        if self._lost:
            text = f"{self._lost} log lines were lost: the disk was full\n{text}"
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._lost += 1
        else:
            self._lost = 0
        return len(text)

    def flush(self) -> None:
        """Every write was flushed."""


class Foreign(logging.Handler):
    """What libraries log, asyncio's exceptions that nobody took above all, as events like our own."""

    def emit(self, record: logging.LogRecord) -> None:
        told = {"error": "".join(traceback.format_exception(*record.exc_info))} if record.exc_info else {}
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name, **told)


def configure(level: str, file: LogFile | None = None) -> None:
    """Log events of ``level`` and above. Those of libraries: warnings and worse."""
    logging.basicConfig(handlers=[Foreign(logging.WARNING)], level=logging.WARNING, force=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer() if sys.stdout.isatty() else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper(), logging.INFO)),
        logger_factory=structlog.WriteLoggerFactory(PatientStream(sys.stdout, file)),  # type: ignore[arg-type]
    )
