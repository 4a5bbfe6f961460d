"""The last document of a host, to which a part is added; older ones are refused.

It is kept in this process only: after a start the first document is a whole one, whatever its revision. Were it written
down, a cloud brought back from a backup would be refused for ever.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from tane.wire.documents import NetworkState, Port, RemotePort
from tane.wire.errors import OlderRevision, WholeNeeded


class Kept:
    """``revision`` is that of the last document, None before the first."""

    def __init__(self) -> None:
        self.revision: int | None = None
        self._frame: NetworkState = NetworkState(revision=0)
        self._ports: dict[str, Port] = {}
        self._remote: dict[str, RemotePort] = {}
        self._members: dict[str, dict[str, tuple[str, ...]]] = {}

    def take(self, state: NetworkState) -> None:
        """:raises OlderRevision: a later document was taken before. :raises WholeNeeded: a part does not follow the
        last document."""
        older = self.revision is not None and state.revision < self.revision
        if older and (state.since is not None or state.replaces != self.revision):
            assert self.revision is not None
            raise OlderRevision(state.revision, self.revision)
        if state.since is None:
            self._frame = state
            self._ports = {port.id: port for port in state.ports}
            self._remote = {port.port_id: port for port in state.remote_ports}
            self._members = {group.id: dict(group.members) for group in state.security_groups}
        elif state.since != self.revision:
            raise WholeNeeded(state.since, self.revision)
        else:
            self._forget(state.gone)
            if state.frame:
                self._put_frame(state)
            self._add(state)
        self.revision = state.revision

    def _forget(self, port_ids: Iterable[str]) -> None:
        for port_id in port_ids:
            self._ports.pop(port_id, None)
            self._remote.pop(port_id, None)
            for members in self._members.values():
                members.pop(port_id, None)

    def _put_frame(self, part: NetworkState) -> None:
        """All is new but remote ports and members, of which stays what has a place in the frame."""
        networks = {network.id for network in part.networks}
        named = {rule.remote_group_id for group in part.security_groups for rule in group.rules}
        self._frame, self._ports = part, {}
        self._remote = {
            port_id: port
            for port_id, port in self._remote.items()
            if port.network_id in networks and not port.of_router
        }
        self._members = {
            group.id: self._members.get(group.id, {}) if group.id in named else {} for group in part.security_groups
        }

    def _add(self, part: NetworkState) -> None:
        self._ports |= {port.id: port for port in part.ports}
        self._remote |= {port.port_id: port for port in part.remote_ports}
        for group in part.security_groups:
            if group.id in self._members:
                self._members[group.id] |= group.members

    def whole(self) -> NetworkState:
        """What the last document and its parts say together."""
        return structs.replace(
            self._frame,
            revision=self.revision or 0,
            since=None,
            replaces=None,
            frame=False,
            gone=(),
            ports=tuple(self._ports.values()),
            remote_ports=tuple(self._remote.values()),
            security_groups=tuple(
                structs.replace(group, members=dict(self._members[group.id])) for group in self._frame.security_groups
            ),
        )
