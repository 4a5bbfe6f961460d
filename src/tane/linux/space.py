"""One network namespace with its sockets: netlink, nftables and connection tracking, opened once and kept."""

from __future__ import annotations

import functools
import os

from tane.linux import netns
from tane.linux.conntrack import Conntrack
from tane.linux.netlink import Netlink
from tane.linux.nft import Nft


class Space:
    """The namespace that ``descriptor`` refers to; owns the descriptor. Not thread-safe."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self.descriptor = descriptor
        self.netlink = Netlink(descriptor)
        self._rules: tuple[str, int] | None = None

    @classmethod
    def named(cls, name: str) -> Space:
        """A namespace under ``/run/netns``. Raises FileNotFoundError."""
        return cls(name, netns.open_named(name))

    @classmethod
    def current(cls) -> Space:
        """The namespace the calling thread is in."""
        return cls("", netns.open_current())

    @functools.cached_property
    def nft(self) -> Nft:
        return Nft(self.descriptor)

    @functools.cached_property
    def conntrack(self) -> Conntrack:
        return Conntrack(self.descriptor)

    @property
    def writes(self) -> int:
        """How many times the namespace was changed through this object: netlink requests and nftables transactions."""
        return self.netlink.writes + (self.nft.transactions if "nft" in self.__dict__ else 0)

    def is_current(self) -> bool:
        """Whether the name still stands for this namespace, and not for none or another one."""
        return netns.exists(self.name) and netns.path(self.name).stat().st_ino == os.fstat(self.descriptor).st_ino

    def apply_rules(self, text: str) -> bool:
        """Run the transaction unless it was the last change anybody made to this namespace's rules; returns whether it
        ran. Raises NftError."""
        if self._rules == (text, self.nft.generation()):
            return False
        self._rules = None
        self.nft.run(text)
        self._rules = (text, self.nft.generation())
        return True

    def close(self) -> None:
        self.netlink.close()
        for name in ("nft", "conntrack"):
            if name in self.__dict__:
                getattr(self, name).close()
        os.close(self.descriptor)
