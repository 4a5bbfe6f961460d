"""The open namespaces of a cloud on this host."""

from __future__ import annotations

from tane.agent.network.ledger import Ledger
from tane.agent.network.plan import OUTER
from tane.linux import netns
from tane.linux.space import Space


class Spaces:
    """Makes, opens, finds and removes namespaces. Runs on one thread, which is in the outer namespace."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._open: dict[str, Space] = {}

    @property
    def writes(self) -> int:
        return sum(space.writes for space in self._open.values())

    def names(self) -> set[str]:
        """Every namespace this cloud ever made and did not remove."""
        return self._ledger.names()

    def ensure(self, name: str) -> tuple[Space, bool]:
        """The namespace, made and opened as needed; and whether it is another one than before."""
        known = self._open.get(name)
        if known is not None and known.is_current():
            return known, False
        if known is not None:
            self._open.pop(name).close()
        self._ledger.add(name)
        netns.create(name)
        space = self._open[name] = Space.named(name)
        if not space.netlink.links()["lo"].up:
            space.netlink.set_link("lo", state="up")
        return space, True

    def get(self, name: str) -> Space:
        """An open namespace, or the outer one. Raises LookupError when it could not be made in this pass."""
        if name == OUTER and name not in self._open:
            self._open[name] = Space.current()
        if name not in self._open:
            raise LookupError(f"the namespace {name} could not be made")
        return self._open[name]

    def remove(self, name: str) -> None:
        """Close it, take its name away and forget it. Raises OSError."""
        if name in self._open:
            self._open.pop(name).close()
        netns.remove(name)
        self._ledger.discard(name)

    def close(self) -> None:
        """Let go of all namespaces without touching them."""
        for space in self._open.values():
            space.close()
        self._open.clear()
