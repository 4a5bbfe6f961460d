"""What a pass did and what it could not do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import structlog
from pyroute2.netlink.exceptions import NetlinkError

from tane.linux.nft import NftError

_log = structlog.get_logger(__name__)


class Report:
    """Collects over one pass: ``failed`` by resource id, and ``done`` in words, empty when all was as it should be."""

    def __init__(self, failed: dict[str, str]) -> None:
        self.failed = dict(failed)
        self.done: list[str] = []

    @contextlib.contextmanager
    def blaming(self, owner: str) -> Iterator[None]:
        """What the kernel refuses inside is the owner's failure; the pass goes on with the others."""
        try:
            yield
        except (OSError, NetlinkError, NftError, LookupError) as error:
            reason = str(error.args[-1]) if isinstance(error, (NetlinkError, LookupError)) else str(error)
            self.failed.setdefault(owner, reason)
            _log.warning("network resource failed", resource=owner, reason=reason)

    def sentence(self, revision: int) -> str:
        """The pass in one sentence."""
        if not self.done and not self.failed:
            return f"Revision {revision}: nothing to do."
        shown = ", ".join(self.done[:6]) + (f" and {len(self.done) - 6} more" if len(self.done) > 6 else "")
        text = f"Revision {revision}: {shown or 'nothing changed'}"
        if self.failed:
            text += f"; {len(self.failed)} failed: " + ", ".join(sorted(self.failed)[:6])
        return text + "."
