"""How the cloud logs: one line of JSON per event on standard output, or plain text on a terminal."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog


class PatientStream:
    """A text stream that drops lines while its disk is full, and tells how many when it is not any more.

    A log that raised would end whatever wanted to log, most of all what handles errors.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = 0

    def write(self, text: str) -> int:
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


def configure(level: str) -> None:
    """Log events of ``level`` and above."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer() if sys.stdout.isatty() else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper(), logging.INFO)),
        logger_factory=structlog.WriteLoggerFactory(PatientStream(sys.stdout)),  # type: ignore[arg-type]
    )
