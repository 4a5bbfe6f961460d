"""Moments as Swift counts them: tens of microseconds since 1970."""

from __future__ import annotations

from datetime import datetime, timedelta

EPOCH = datetime(1970, 1, 1)
SECOND = 100_000
LAST = 253_402_300_799
"""The last second that can be written as a date."""
_TEN = timedelta(microseconds=10)


def of(moment: datetime) -> int:
    return (moment - EPOCH) // _TEN


def moment(stamp: int) -> datetime:
    return EPOCH + stamp * _TEN
