"""Exact sums: prices and amounts are decimals, times whole seconds; what is divided is rounded once, at the end."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal

EXACT = Context(prec=200, Emin=-9999, Emax=9999)
"""More digits than a product of prices, an amount and the seconds of some years can have."""
PERIOD = 3600
"""Seconds that a price is for: CloudKitty's period."""
DIGITS = Decimal("0.000001")
"""What a line of a bill is rounded to, half to even."""
ZERO, ONE = Decimal(0), Decimal(1)


def total(values: Iterable[Decimal]) -> Decimal:
    found = ZERO
    for value in values:
        found = EXACT.add(found, value)
    return found


def times(first: Decimal, second: Decimal) -> Decimal:
    return EXACT.multiply(first, second)


def rounded(price_seconds: Decimal) -> Decimal:
    """The sum of a price for so many seconds, given as their product."""
    return EXACT.divide(price_seconds, Decimal(PERIOD)).quantize(DIGITS, ROUND_HALF_EVEN, EXACT)


def plain(value: Decimal) -> str:
    """Without an exponent and without zeros at its end: ``0.5``, ``120``."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def coins(value: Decimal, digits: int) -> str:
    """As it is paid: ``12.30``."""
    return format(value.quantize(ONE.scaleb(-digits), ROUND_HALF_EVEN, EXACT), "f")
