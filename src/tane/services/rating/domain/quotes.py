"""What a thing would cost, before it is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tane.core import Core
from tane.services.rating.domain import money, reports
from tane.services.rating.domain.prices import Point
from tane.web.errors import BadRequest

Asked = tuple[str, Mapping[str, Any], Decimal]
MOST = Decimal(10) ** 15


def prices(core: Core, project_id: str, asked: Sequence[Asked]) -> list[Decimal]:
    """Of an hour of each, by the prices of now, not rounded. Each: (service, its fields, how many units).

    :raises BadRequest: how many is no number, or too many.
    """
    with core.db.read() as tx:
        begin = tx.now.replace(microsecond=0)
        end = begin + timedelta(seconds=1)
        knowledge = reports.known(tx, begin, end, None)
        found = []
        for service, fields, volume in asked:
            if not volume.is_finite() or not 0 <= volume <= MOST:
                raise BadRequest("Invalid input for field/attribute volume. a number of units is expected")
            told = {str(name): _text(value) for name, value in fields.items()}
            [step] = knowledge.prices.steps(Point(service, project_id, volume, told), begin, end)
            found.append(step.price)
    return found


def rounded(prices: Iterable[Decimal]) -> Decimal:
    """Prices of an hour together, as a bill would round them."""
    return money.rounded(money.times(money.total(prices), Decimal(money.PERIOD)))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else format(value)
