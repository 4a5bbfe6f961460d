"""Groups whose failed members are replaced by themselves: what a group says of it, and which members those are now.

Pure: what is known of the members comes in, names and reasons go out (decision 31).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, NamedTuple

import msgspec

from tane.services.compute.interface import Vital
from tane.services.orchestration.domain.common import FAILED
from tane.services.orchestration.store.resources import REPLACE_FAILED
from tane.web.errors import BadRequest
from tane.wire.grammar import Port

MISSES = 3
"""So often, one round after another, a member does not answer before it counts as failed."""
YOUNG = timedelta(minutes=10)
"""Who replaces a younger one than this replaces it once more: that is done ever more slowly."""
PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=10)


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``grace_period``: seconds after its birth in which a member need not answer. ``at_once``: how many are replaced
    at a time. ``port``: the TCP port that each server is to take connections at; ``agent``: its guest's agent is to
    answer."""

    grace_period: float = 300.0
    at_once: int = 1
    port: Port | None = None
    agent: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.grace_period <= 86400:
            raise ValueError("grace_period is from 0 to 86400 seconds")
        if not 1 <= self.at_once <= 100:
            raise ValueError("at_once is from 1 to 100")

    @property
    def checks(self) -> tuple[str, ...]:
        """What members are asked, by names under which it is kept what they answered."""
        return (*(("agent",) if self.agent else ()), *(() if self.port is None else (f"port {self.port}",)))


def terms_of(given: Any) -> Terms | None:
    """What a group's metadata say of it, which Heat would take as well; None: it replaces nothing.

    :raises BadRequest: it cannot be read.
    """
    if given is None or given is False:
        return None
    try:
        return msgspec.convert({} if given is True else given, Terms)
    except msgspec.ValidationError as error:
        raise BadRequest(f"metadata: {REPLACE_FAILED}: {error}", type="StackValidationFailed") from None


@dataclass
class Member:
    """A member of a group by its row, and the servers in it. ``told``: for each check why one of those that were asked
    in this round did not answer, empty when all did; nothing of a check for which none could be asked."""

    name: str
    row_id: str
    action: str
    status: str
    reason: str
    created_at: datetime
    servers: list[Vital] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)


class History(NamedTuple):
    """What a group keeps. ``proven``: the checks that one of its members has passed once; ``hasty``: how often in a row
    a young member was replaced; ``at``: when the last one was; ``told``: why none can be, as its stack's events say."""

    proven: frozenset[str] = frozenset()
    hasty: int = 0
    at: datetime | None = None
    told: str = ""

    def kept(self) -> dict[str, Any]:
        return {
            "proven": sorted(self.proven),
            "hasty": self.hasty,
            "at": None if self.at is None else self.at.isoformat(),
            "told": self.told,
        }


def history_of(kept: Mapping[str, Any] | None) -> History:
    found = kept or {}
    at = found.get("at")
    proven = found.get("proven")
    passed = frozenset(map(str, proven)) if isinstance(proven, list) else frozenset()
    return History(
        passed,
        int(found.get("hasty") or 0),
        datetime.fromisoformat(at) if at else None,
        str(found.get("told") or ""),
    )


class Question(NamedTuple):
    """What a host is asked: whether a server's agent answers, or who listens at a TCP port of a port of the network."""

    project_id: str
    host_id: str
    asked: str
    tcp_port: int | None = None


@dataclass
class Turns:
    """In which order a host is asked: it may not have the time for all. Projects take turns, and of each comes first
    who waited longest. Who did not answer the last time comes after all others: silence takes time."""

    count: int = 0
    tried: dict[Question, int] = field(default_factory=dict)
    silent: set[Question] = field(default_factory=set)

    def parts(self, wanted: Collection[Question], size: int) -> Iterator[list[Question]]:
        """Parts of at most ``size``, none with two questions to the same card: a host's answer names that alone."""
        lines: dict[str, list[Question]] = {}
        for one in sorted(wanted, key=lambda one: (self.tried.get(one, 0), one.asked, one.tcp_port or 0)):
            lines.setdefault(one.project_id, []).append(one)
        queues: dict[tuple[bool, int], list[Question]] = {}
        often: Counter[str] = Counter()
        for one in (one for of_each in zip_longest(*lines.values()) for one in of_each if one is not None):
            queues.setdefault((one in self.silent, often[one.asked]), []).append(one)
            often[one.asked] += 1
        for _, queue in sorted(queues.items()):
            for start in range(0, len(queue), size):
                part = queue[start : start + size]
                self.count += 1
                self.tried.update(dict.fromkeys(part, self.count))
                # Until there is an answer.
                self.silent.update(part)
                yield part

    def note(self, wanted: Collection[Question], told: Mapping[Question, str | None]) -> None:
        """The end of a look at all that there is to ask."""
        self.tried = {one: count for one, count in self.tried.items() if one in wanted}
        self.silent = {one for one in wanted if told.get(one, one in self.silent)}


@dataclass
class Watch:
    """What one process remembers of members, by their rows and checks: how often in a row each did not answer, and who
    answered ever. ``since``: as of when."""

    misses: dict[tuple[str, str], int] = field(default_factory=dict)
    answered: set[tuple[str, str]] = field(default_factory=set)
    since: datetime | None = None
    turns: Turns = field(default_factory=Turns)

    def note(self, members: Collection[Member]) -> None:
        """What was heard in one round of all members that there are."""
        there = {one.row_id for one in members}
        self.misses = {key: count for key, count in self.misses.items() if key[0] in there}
        self.answered = {key for key in self.answered if key[0] in there}
        for key, text in (((one.row_id, check), text) for one in members for check, text in one.told.items()):
            if text:
                self.misses[key] = self.misses.get(key, 0) + 1
            else:
                self.misses.pop(key, None)
                self.answered.add(key)

    def awaits(self, member: Member, checks: Sequence[str]) -> bool:
        """Whether a member has not answered yet: to nothing, or not to all that it can be asked."""
        keys = [(member.row_id, check) for check in checks]
        return not self.answered.intersection(keys) or any(
            key in self.misses and key not in self.answered for key in keys
        )


def failed(terms: Terms, members: Sequence[Member], history: History, watch: Watch, now: datetime) -> dict[str, str]:
    """Which members are to be replaced now, and why: no more at a time than the group says, and after a pause where
    what was made only just has failed again.

    That one does not answer proves something only where a member of the group has answered the same before: else it is
    what was asked that is wrong.
    """
    found = {one.name: reason for one in members if (reason := _broken(one))}
    since, coming = timedelta(seconds=terms.grace_period), 0
    for one in members if terms.checks else ():
        in_grace = one.created_at + since > now
        if one.name in found:
            continue
        coming += in_grace and watch.awaits(one, terms.checks)
        for check in terms.checks if not in_grace else ():
            if check in history.proven and watch.misses.get((one.row_id, check), 0) >= MISSES:
                found[one.name] = one.told.get(check) or "it does not answer"
    chosen = {name: found[name] for name in list(found)[: max(0, terms.at_once - coming)]}
    if _is_hasty(members, chosen, now) and history.at is not None:
        pause = min(PAUSE * 2 ** min(history.hasty, 10), LONGEST_PAUSE)
        if history.at + pause > now:
            return {}
    return chosen


def replaced(history: History, members: Sequence[Member], chosen: Mapping[str, str], now: datetime) -> History:
    """The history of a group in which these were replaced."""
    return history._replace(hasty=history.hasty + 1 if _is_hasty(members, chosen, now) else 0, at=now)


def _is_hasty(members: Sequence[Member], chosen: Mapping[str, str], now: datetime) -> bool:
    """Whether one of them was made only just, or not even that."""
    return any(one.name in chosen and (one.status == FAILED or one.created_at + YOUNG > now) for one in members)


def _broken(member: Member) -> str:
    """Why a member is not what it is to be, whoever is asked; empty where nothing says so."""
    if member.status == FAILED and member.action not in ("DELETE", "SNAPSHOT"):
        return member.reason or "it failed"
    return next((f"server {one.server_id}: {one.reason}" for one in member.servers if one.state == "failed"), "")
