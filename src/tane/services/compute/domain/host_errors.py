"""What a caller is told when the host of a server refuses or does not answer, while the caller waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from tane.agent.errors import HostError
from tane.hosts import HostUnreachable
from tane.web.errors import Conflict, Unavailable

log = structlog.get_logger()


@contextmanager
def told_to_the_caller(server_id: str) -> Iterator[None]:
    """:raises Unavailable: the host does not answer, or may answer later. :raises Conflict: it refuses."""
    try:
        yield
    except HostUnreachable as error:
        log.warning("the host of a server does not answer", server_id=server_id, error=str(error))
        raise Unavailable(f"The host of instance {server_id} does not answer.") from None
    except HostError as error:
        log.warning("the host of a server refuses", server_id=server_id, error=str(error))
        if error.transient:
            raise Unavailable(f"The host of instance {server_id} cannot do this now.") from None
        raise Conflict(f"Instance {server_id} is not ready") from None
