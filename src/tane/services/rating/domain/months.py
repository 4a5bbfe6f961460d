"""Calendar months of UTC, as ``2026-11``; and times of the API."""

from __future__ import annotations

import re
from datetime import datetime

from tane.web.codec import moment
from tane.web.errors import BadRequest

MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])\Z")


def of(at: datetime) -> str:
    return f"{at.year:04}-{at.month:02}"


def bounds(month: str) -> tuple[datetime, datetime]:
    """When it begins, and when the next one does. :raises BadRequest: it is none."""
    found = MONTH.match(month)
    if found is None or not 1970 <= int(found[1]) <= 9000:
        raise BadRequest(f"Invalid input for field/attribute month. Value: '{month[:64]}'. a month is as 2026-11")
    begin = datetime(int(found[1]), int(found[2]), 1)
    return begin, after(begin)


def after(begin: datetime) -> datetime:
    """When the month after that of ``begin`` begins."""
    return datetime(begin.year + begin.month // 12, begin.month % 12 + 1, 1)


def following(month: str) -> str:
    return of(bounds(month)[1])


def parsed(field: str, text: str | None) -> datetime | None:
    """A whole second of UTC. :raises BadRequest: the text is no time, or one that no month can be told of."""
    if not text:
        return None
    # In a query a plus that is not escaped is a space.
    found = moment(text.strip().replace(" ", "+") if re.search(r"T.* [0-9]{2}:", text) else text.strip())
    if found is None or not 1970 <= found.year <= 9000:
        raise BadRequest(f"Invalid input for field/attribute {field}. Value: '{text[:64]}'. an ISO 8601 time is meant")
    return found.replace(microsecond=0)


def shown(at: datetime) -> str:
    """As CloudKitty's messages tell a time."""
    return at.isoformat(" ", "seconds")
