"""Groups that change some of their members at a time, and keep others in service meanwhile."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tane.services.orchestration.domain.common import COMPLETE, LONGEST_MINUTES, TIMEOUT_MINUTES
from tane.services.orchestration.resources.base import Wait
from tane.services.orchestration.resources.nested import OfStack
from tane.web.errors import BadRequest

if TYPE_CHECKING:
    from tane.core import Core
    from tane.db import Tx
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Source

Members = dict[str, Any]
LONGEST_PAUSE = 60 * LONGEST_MINUTES


class Policy(NamedTuple):
    """``pause``: seconds between two batches."""

    size: int
    in_service: int = 0
    pause: float = 0.0


class Batch(NamedTuple):
    """How many outdated members are changed, how many of the missing come, and how many more than are wanted."""

    changes: int = 0
    adds: int = 0
    spares: int = 0


def policy_of(given: Mapping[str, Any]) -> Policy:
    """A policy as templates say it. :raises BadRequest:"""
    return Policy(
        int(_number(given, "max_batch_size", 1, 1)),
        int(_number(given, "min_in_service", 0, 0)),
        _number(given, "pause_time", 0, 0, LONGEST_PAUSE),
    )


def _number(given: Mapping[str, Any], name: str, default: int, least: int, most: float = math.inf) -> float:
    value = given.get(name)
    try:
        found = float(default if value is None or value == "" else value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found) or not least <= found <= most:
        bound = "" if most == math.inf else f" and at most {most}"
        words = f"update policy: {name} is a number, at least {least}{bound}."
        raise BadRequest(words, type="StackValidationFailed")
    return found


def in_time(policy: Policy, pauses: int, minutes: int | None) -> None:
    """:raises BadRequest: a stack that may take so many minutes is over before these pauses are."""
    if policy.pause * pauses >= 60 * max(1, min(minutes or TIMEOUT_MINUTES, LONGEST_MINUTES)):
        raise BadRequest("The current update policy will result in stack update timeout.", type="StackValidationFailed")


def batch(now: int, wanted: int, outdated: int, missing: int, policy: Policy) -> Batch | None:
    """What the next batch of a group of ``now`` members is; None: nothing but to let go what is too much."""
    if not outdated:
        return Batch(adds=min(missing, policy.size)) if missing else None
    lacking = min(policy.in_service, wanted) + min(policy.size, outdated) - now
    if lacking <= 0:
        return Batch(changes=min(outdated, policy.size))
    adds = min(missing, policy.size)
    return Batch(adds=adds, spares=max(min(lacking, policy.size) - adds, 0))


def batches(now: int, wanted: int, outdated: int, missing: int, policy: Policy) -> int:
    """How many batches there are until a group is as it is wanted."""
    count = 0
    while outdated or missing or now > wanted:
        count += 1
        step = batch(now, wanted, outdated, missing, policy)
        if step is None:
            break
        now, outdated, missing = now + step.adds + step.spares, outdated - step.changes, missing - step.adds
    return count


def batches_to(now: Members, wanted: Members, policy: Policy) -> int:
    """The same of members with names."""
    missing = sum(name not in now for name in wanted)
    return batches(len(now), len(wanted), len(outdated_of(now, wanted)), missing, policy)


def outdated_of(now: Members, wanted: Members) -> list[str]:
    """Members that stay, and are others then."""
    return [name for name, one in now.items() if name in wanted and one != wanted[name]]


def following(now: Members, wanted: Members, policy: Policy, spare: Callable[[set[str]], tuple[str, Any]]) -> Members:
    """The members after the next batch. Where too few would be in service while a batch is changed, others come first,
    and go at the end; ``spare`` makes one, of another name than these."""
    outdated, missing = outdated_of(now, wanted), [name for name in wanted if name not in now]
    step = batch(len(now), len(wanted), len(outdated), len(missing), policy)
    if step is None:
        return wanted
    later = {**now, **{name: wanted[name] for name in (*outdated[: step.changes], *missing[: step.adds])}}
    for _ in range(step.spares):
        name, one = spare({*later, *wanted})
        later[name] = one
    return later


class Rolling(OfStack):
    """A group whose nested stack has its members. While a batch is to follow, ``rolling`` stands in the row's data, and
    ``until`` while it pauses: both as long as a job waits for the group, which sees to it that the batch comes."""

    def members(self, hand: Hand) -> Members:
        """All that the group is to have, with their declarations."""
        raise NotImplementedError

    def spare(self, hand: Hand, others: set[str]) -> tuple[str, Any]:
        """One more, of another name."""
        raise NotImplementedError

    def of_members(self, hand: Hand, members: Members) -> Source:
        """The nested stack that has these."""
        raise NotImplementedError

    def said(self, hand: Hand, *, creates: bool = False) -> Mapping[str, Any] | None:
        """The policy by which members are changed, or made, as the template says it; None: all at once."""
        return None

    def policies(self, hand: Hand) -> Mapping[str, Any]:
        """The update policies of the template, with their functions resolved."""
        from tane.services.orchestration.domain import values

        plan, name = hand.plan, hand.row.name
        if plan is None or name not in plan.resources:
            return dict(hand.row.declared.get("update_policy") or {})
        return values.update_policy(hand, plan, name)

    def policy(self, hand: Hand, *, creates: bool = False) -> Policy | None:
        """:raises BadRequest: what the template says is none."""
        given = self.said(hand, creates=creates)
        return None if given is None else policy_of(given)

    def check_policies(self, hand: Hand, most: int, *, known: bool) -> None:
        """``known``: the group has them already, and whether they can be kept is asked when members are to change.

        :raises BadRequest: one is none, or ``most`` members are not made, or all of them changed, in the stack's time.
        """
        made, changed, minutes = self.policy(hand, creates=True), self.policy(hand), hand.stack.timeout_mins
        if known:
            return
        if made is not None:
            in_time(made, batches(0, most, 0, most, made) - 1, minutes)
        if changed is not None:
            in_time(changed, batches(most, most, most, 0, changed) - 1, minutes)

    def roll(self, hand: Hand, whole: Source) -> None:
        """Begin to change the nested stack to ``whole``: by batches where a member that stays is another then. For a
        job that waits until it is ready.

        :raises BadRequest: the pauses between them take longer than the stack may.
        """
        from tane.services.orchestration.domain import nested

        policy = self.policy(hand)
        if policy is not None:
            wanted = _plain(self.members(hand))
            now = self._lent(hand, self._now(hand), wanted)
            if outdated_of(now, wanted):
                first = self._once_more(hand, now, wanted) or self._following(hand, now, wanted, policy)
                in_time(policy, batches_to(first, wanted, policy), hand.stack.timeout_mins)
                hand.keep(rolling="update", until=None)
                nested.update(hand, self.of_members(hand, first))
                return
        if hand.row.data.get("rolling"):
            hand.keep(rolling=None, until=None)
        nested.update(hand, whole)

    def resized(self, hand: Hand, whole: Source) -> Source:
        """``whole``, but those that are there and well stay what they are: nobody waits who could change them by
        batches."""
        if self.said(hand) is None:
            return whole
        wanted, well = _plain(self.members(hand)), self._well(hand)
        now = self._lent(hand, self._now(hand), wanted)
        kept = {name: now[name] for name in wanted if name in now and name in well}
        return self.of_members(hand, {**wanted, **kept})

    def stopped(self, tx: Tx, core: Core, row: Any) -> None:
        from tane.services.orchestration.store import resources

        super().stopped(tx, core, row)
        if row.data.get("rolling") or row.data.get("until"):
            resources.change(tx, row.id, data={**row.data, "rolling": None, "until": None})

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
        now = self._lent(hand, now, wanted)
        nested.update(hand, self.of_members(hand, self._following(hand, now, wanted, policy)))
        return False

    def waits(self, hand: Hand) -> Wait:
        until = hand.row.data.get("until")
        if until is None:
            return super().waits(hand)
        return Wait(max(0.01, (datetime.fromisoformat(until) - hand.tx.now).total_seconds()))

    def _following(self, hand: Hand, now: Members, wanted: Members, policy: Policy) -> Members:
        return following(now, wanted, policy, lambda others: self.spare(hand, others))

    def _lent(self, hand: Hand, now: Members, wanted: Members) -> Members:
        """The members that may stay for a while as they are, and act with the rights of this stack's author: his own,
        and what the group said itself. What another wrote into the nested stack is changed at once."""
        from tane.services.orchestration.domain import nested, rights

        child, before = nested.child_of(hand), Members()
        if child is None or rights.of_stack(child) == rights.of_stack(hand.stack):
            return now
        if hand.row.properties:
            before = _plain(self.members(dataclasses.replace(hand, properties=hand.row.properties)))
        return {
            name: one if name in before and one == before[name] else wanted[name]
            for name, one in now.items()
            if name in wanted or (name in before and one == before[name])
        }

    def _once_more(self, hand: Hand, now: Members, wanted: Members) -> Members | None:
        """The batch in which the group was interrupted, which comes before any other: what is not well is changed at
        once, being in nobody's service. None where all is well."""
        from tane.services.orchestration.domain import nested

        child, well = nested.child_of(hand), self._well(hand)
        if child is None or (child.status == COMPLETE and well >= now.keys()):
            return None
        return {
            name: one if name in well else wanted[name] for name, one in now.items() if name in well or name in wanted
        }

    def _well(self, hand: Hand) -> set[str]:
        """Members that are there, and with which nothing has failed or is under way."""
        from tane.services.orchestration.domain import nested
        from tane.services.orchestration.store import resources

        child = nested.child_of(hand)
        rows = [] if child is None else resources.light(hand.tx, child.id)
        there = [row for row in rows if row.current and row.action != "INIT"]
        return {row.name for row in there if row.status == COMPLETE and not row.working}

    def _now(self, hand: Hand) -> Members:
        """The members that the nested stack was last asked to have."""
        from tane.services.orchestration.domain import nested

        child = nested.child_of(hand)
        return {} if child is None else dict(child.source["template"].get("resources") or {})


def _plain(members: Members) -> Members:
    """As they are kept in a nested stack."""
    from tane.services.orchestration.domain.nested import said

    found: Members = msgspec.json.decode(msgspec.json.encode(said(members)))
    return found
