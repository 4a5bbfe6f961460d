"""The engine, as lists of services show it."""

from __future__ import annotations

import socket
import uuid
from dataclasses import dataclass
from datetime import datetime

from tane.core import Core

MEMORY = "orchestration.since"


@dataclass(frozen=True)
class Engine:
    id: str
    host: str
    since: datetime
    now: datetime


def this(core: Core) -> Engine:
    """That of this process."""
    now = core.clock.now()
    since: datetime = core.memory.setdefault(MEMORY, now)
    host = socket.gethostname()
    return Engine(str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{host}:{core.config.state_dir}")), host, since, now)
