"""What a caller is told when a host refuses or does not answer, while the caller waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from tane.hosts.registry import HostUnreachable
from tane.web.errors import Conflict, Unavailable
from tane.wire.errors import HostError

log = structlog.get_logger()


@contextmanager
def told_to_the_caller(what: str) -> Iterator[None]:
    """``what`` the host is asked about, as the caller knows it: ``instance 3f…``.

    :raises Unavailable: the host does not answer, or may answer later. :raises Conflict: it refuses.
    """
    try:
        yield
    except HostUnreachable as error:
        log.warning("a host does not answer", what=what, error=str(error))
        raise Unavailable(f"The host of {what} does not answer.") from None
    except HostError as error:
        log.warning("a host refuses", what=what, error=str(error))
        if error.transient:
            raise Unavailable(f"The host of {what} cannot do this now.") from None
        raise Conflict(f"{what[0].upper()}{what[1:]} is not ready") from None
