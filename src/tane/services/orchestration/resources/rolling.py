"""Groups that change some of their members at a time, and keep others in service meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tane.services.orchestration.domain.common import TIMEOUT_MINUTES
from tane.services.orchestration.resources.base import Wait
from tane.services.orchestration.resources.nested import OfStack
from tane.web.errors import BadRequest

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Source

Members = dict[str, Any]


class Policy(NamedTuple):
    """``pause``: seconds between two batches."""

    size: int
    in_service: int = 0
    pause: float = 0.0


def policy_of(given: Mapping[str, Any], minutes: int | None, count: int) -> Policy:
    """A policy as templates say it, for ``count`` members of a stack that may take so long. :raises BadRequest:"""
    found = Policy(
        int(_number(given, "max_batch_size", 1, 1)),
        int(_number(given, "min_in_service", 0, 0)),
        _number(given, "pause_time", 0, 0),
    )
    pauses = max(math.ceil(count / found.size) - 1, 0)
    if found.pause * pauses >= 60 * (minutes or TIMEOUT_MINUTES):
        raise BadRequest("The current update policy will result in stack update timeout.", type="StackValidationFailed")
    return found


def _number(given: Mapping[str, Any], name: str, default: int, least: int) -> float:
    value = given.get(name)
    try:
        found = float(default if value is None or value == "" else value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found) or found < least:
        raise BadRequest(f"update policy: {name} is a number, at least {least}.", type="StackValidationFailed")
    return found


def following(now: Members, wanted: Members, policy: Policy, spare: Callable[[set[str]], tuple[str, Any]]) -> Members:
    """The members after the next batch. Where too few would be in service while a batch is changed, others come first,
    and go at the end; ``spare`` makes one, of another name than these."""
    outdated = [name for name, one in now.items() if name in wanted and one != wanted[name]]
    missing = [name for name in wanted if name not in now]
    if not outdated:
        if not missing:
            return wanted
        return {**now, **{name: wanted[name] for name in missing[: policy.size]}}
    lacking = min(policy.in_service, len(wanted)) + min(policy.size, len(outdated)) - len(now)
    if lacking <= 0:
        return {**now, **{name: wanted[name] for name in outdated[: policy.size]}}
    made = {name: wanted[name] for name in missing[: policy.size]}
    while len(made) < min(lacking, policy.size):
        name, one = spare({*now, *wanted, *made})
        made[name] = one
    return {**now, **made}


class Rolling(OfStack):
    """A group whose nested stack has its members. While a batch is to follow, ``rolling`` stands in the row's data, and
    ``until`` while it pauses."""

    def members(self, hand: Hand) -> Members:
        """All that the group is to have, with their declarations."""
        raise NotImplementedError

    def spare(self, hand: Hand, others: set[str]) -> tuple[str, Any]:
        """One more, of another name."""
        raise NotImplementedError

    def of_members(self, hand: Hand, members: Members) -> Source:
        """The nested stack that has these."""
        raise NotImplementedError

    def policy(self, hand: Hand, *, creates: bool = False) -> Policy | None:
        """None: all at once."""
        return None

    def roll(self, hand: Hand, whole: Source) -> None:
        """Begin to change the nested stack to ``whole``: by batches where a member that stays is another then."""
        from tane.services.orchestration.domain import nested

        policy = self.policy(hand)
        if policy is not None:
            now, wanted = self._now(hand), _plain(self.members(hand))
            if any(name in wanted and one != wanted[name] for name, one in now.items()):
                hand.keep(rolling="update", until=None)
                nested.update(hand, self.of_members(hand, self._following(hand, now, wanted, policy)))
                return
        if hand.row.data.get("rolling"):
            hand.keep(rolling=None, until=None)
        nested.update(hand, whole)

    def first(self, hand: Hand) -> Source | None:
        """The first batch of a group that is made by batches."""
        policy = None if hand.adopted is not None else self.policy(hand, creates=True)
        wanted = {} if policy is None else _plain(self.members(hand))
        if policy is None or len(wanted) <= policy.size:
            return None
        hand.keep(rolling="create")
        return self.of_members(hand, dict(list(wanted.items())[: policy.size]))

    def ready(self, hand: Hand) -> bool:
        from tane.services.orchestration.domain import nested

        if not super().ready(hand):
            return False
        mode = hand.row.data.get("rolling")
        if not mode:
            return True
        policy, now, wanted = self.policy(hand, creates=mode == "create"), self._now(hand), _plain(self.members(hand))
        if policy is None or now == wanted:
            hand.keep(rolling=None, until=None)
            return True
        until = hand.row.data.get("until")
        if policy.pause and until is None:
            hand.keep(until=(hand.tx.now + timedelta(seconds=policy.pause)).isoformat())
            return False
        if until is not None and datetime.fromisoformat(until) > hand.tx.now:
            return False
        hand.keep(until=None)
        nested.update(hand, self.of_members(hand, self._following(hand, now, wanted, policy)))
        return False

    def waits(self, hand: Hand) -> Wait:
        until = hand.row.data.get("until")
        if until is None:
            return super().waits(hand)
        return Wait(max(0.01, (datetime.fromisoformat(until) - hand.tx.now).total_seconds()))

    def _following(self, hand: Hand, now: Members, wanted: Members, policy: Policy) -> Members:
        return following(now, wanted, policy, lambda others: self.spare(hand, others))

    def _now(self, hand: Hand) -> Members:
        """The members that the nested stack was last asked to have."""
        from tane.services.orchestration.domain import nested
        from tane.services.orchestration.store import stacks

        child = nested.child_of(hand)
        found = {} if child is None else stacks.source(hand.tx, child)["template"].get("resources") or {}
        return dict(found)


def _plain(members: Members) -> Members:
    """As they are kept in a nested stack."""
    from tane.services.orchestration.domain.nested import said

    found: Members = msgspec.json.decode(msgspec.json.encode(said(members)))
    return found
