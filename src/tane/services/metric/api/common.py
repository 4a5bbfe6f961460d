"""What handlers of metrics share: views, query parameters, pages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from tane.services.metric.domain import calendars, queries, timespans
from tane.services.metric.domain.aggregates import FILLS, Window
from tane.services.metric.domain.errors import Told
from tane.services.metric.domain.operations import Budget
from tane.services.metric.domain.resource_types import GENERIC
from tane.web import codec
from tane.web.errors import BadRequest, PreconditionFailed
from tane.web.request import Request, Response

BY_TIME = ("revision_start:asc", "started_at:asc")


def policy_view(row: Any) -> dict[str, Any]:
    return {
        "name": row.name,
        "back_window": row.back_window,
        "definition": [
            {
                "granularity": timespans.clock(granularity),
                "points": points,
                "timespan": None if points is None else timespans.clock(granularity * points),
            }
            for granularity, points in row.definition
        ],
        "aggregation_methods": row.aggregation_methods,
    }


def rule_view(row: Any) -> dict[str, Any]:
    return {
        "name": row.name,
        "metric_pattern": row.metric_pattern,
        "archive_policy_name": row.archive_policy_name,
    }


def _made_by(row: Any) -> dict[str, Any]:
    user, _, project = row.creator.partition(":")
    return {"creator": row.creator, "created_by_user_id": user, "created_by_project_id": project}


def metric_view(row: Any, policy: Any = None) -> dict[str, Any]:
    shown = {"id": row.id, "name": row.name, "unit": row.unit, **_made_by(row)}
    if policy is None:
        shown["archive_policy_name"] = row.archive_policy_name
    else:
        shown["archive_policy"] = policy_view(policy)
    return {**shown, "resource_id": row.resource_id}


def type_view(row: Any) -> dict[str, Any]:
    return {"name": row.name, "attributes": row.attributes, "state": "active"}


def resource_view(
    row: Any, metrics: Sequence[Any] | None, *, details: bool, attrs: Sequence[str] = ()
) -> dict[str, Any]:
    shown = {
        "id": row.id,
        "original_resource_id": row.original_resource_id,
        "type": row.type,
        **_made_by(row),
        "project_id": row.project_id,
        "user_id": row.user_id,
        "started_at": timespans.iso(row.started_at),
        "ended_at": timespans.iso(row.ended_at),
        "revision_start": timespans.iso(row.revision_start),
        "revision_end": timespans.iso(getattr(row, "revision_end", None)),
    }
    if details:
        shown |= row.attributes
    if metrics is not None:
        shown["metrics"] = {one.name: one.id for one in metrics}
    return {name: value for name, value in shown.items() if name in attrs} if attrs else shown


def detailed(request: Request, type_name: str) -> bool:
    """Whether attributes are shown: those of the type that was asked for, or by ``details``."""
    return type_name != GENERIC or flag(request, "details")


def flag(request: Request, name: str) -> bool:
    value = request.param(name, "false") or "false"
    if value.lower() in ("1", "t", "true", "on", "y", "yes"):
        return True
    if value.lower() in ("0", "f", "false", "off", "n", "no"):
        return False
    raise BadRequest(
        f"Unable to parse `{name}': Unrecognized value '{value}', acceptable values are: '0', '1', 'f', 'false', "
        "'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'"
    )


def page(request: Request, usual: Sequence[str]) -> tuple[list[str], str | None, int]:
    """(sort keys, marker, limit)."""
    most = request.core.config.metric.max_limit
    text = request.param("limit")
    limit = most if text is None else codec.whole(text)
    if limit is None or limit < 1:
        reason = "expected int" if limit is None else "value must be at least 1"
        raise Told("Argument value error", None, f"{reason} for dictionary value @ data['limit']")
    sorts = request.params("sort") or list(usual)
    return sorts, request.param("marker"), min(limit, most)


def pages(request: Request, rows: Sequence[Any], limit: int, sorts: Sequence[str], marker: Any) -> dict[str, str]:
    """The header that leads to the next page, where there may be one."""
    if not rows or len(rows) < limit:
        return {}
    from urllib.parse import urlencode

    kept = [(name, value) for name, value in request.query if name not in ("marker", "limit", "sort")]
    query = sorted(
        [*kept, ("limit", str(limit)), ("marker", marker(rows[-1])), *(("sort", one) for one in sorts)],
        key=lambda one: one[0],
    )
    return {"Link": f'<{request.base_url}{request.url_path}?{urlencode(query)}>; rel="next"'}


def query_of(request: Request) -> Any:
    """The query of a body, or of the parameter ``filter``."""
    if request.raw:
        return codec.parse(request.raw)
    text = request.param("filter")
    return queries.parse(text) if text else None


def budget(request: Request) -> Budget:
    """What the request may cost."""
    return Budget(long=request.may_take_long)


def window(request: Request, *, fill: str | None = None) -> Window:
    """Which part of the series is asked for. ``fill``: where neither it nor an overlap is said."""
    told = request.param("fill")
    overlap = request.param("needed_overlap")
    filled: Any = told
    if told is None:
        filled = fill if overlap is None else None
    elif told not in FILLS:
        try:
            filled = float(told)
        except ValueError:
            reason = "Must be a float, 'dropna', 'null', 'ffill', 'bfill', 'full_ffill' or 'full_bfill'"
            raise Told("Argument value error", "fill", reason) from None
    try:
        needed = 100.0 if overlap is None else float(overlap)
    except ValueError:
        raise Told("Argument value error", "needed_overlap", "Must be a number") from None
    return Window(moment(request, "start"), moment(request, "stop"), granularity(request), needed, filled)


def moment(request: Request, name: str) -> int | None:
    text = request.param(name)
    if text is None:
        return None
    try:
        # A plus sign of a zone arrives as a space where it was not encoded.
        return timespans.moment(text, timespans.of_naive(request.core.clock.now()) / timespans.SECOND)
    except ValueError:
        raise Told("Argument value error", name, "Must be a datetime or a timestamp") from None


def granularity(request: Request) -> int | None:
    text = request.param("granularity")
    if text is None:
        return None
    try:
        return timespans.span(text)
    except ValueError as error:
        raise Told("Argument value error", "granularity", str(error)) from None


def resampling(request: Request) -> Any:
    """The period that is resampled to; a letter for one of the calendar."""
    text = request.param("resample")
    if not text:
        return None
    if request.param("granularity") is None:
        raise BadRequest("A granularity must be specified to resample")
    if text in calendars.GROUPS:
        return text
    try:
        return timespans.span(text)
    except ValueError as error:
        raise BadRequest(str(error)) from None


def etag(row: Any) -> str:
    told = f"{row.id}{timespans.iso(row.revision_start)}{getattr(row, 'revision_end', None) or ''}"
    return hashlib.sha1(told.encode(), usedforsecurity=False).hexdigest()


def tagged(row: Any, body: Any, status: int | None = None, headers: Mapping[str, str] | None = None) -> Response:
    modified = row.revision_start.replace(tzinfo=UTC, microsecond=0)
    shown = {"ETag": f'"{etag(row)}"', "Last-Modified": format_datetime(modified, usegmt=True)}
    return Response(body, status, {**shown, **(headers or {})})


def _tags(text: str) -> list[str]:
    return [one.strip().removeprefix("W/").strip('"') for one in text.split(",")]


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def unchanged(request: Request, row: Any) -> bool:
    """Whether the caller has the resource as it is already (RFC 7232). :raises PreconditionFailed: it expected another
    one."""
    headers, tag = request.headers, etag(row)
    modified = row.revision_start.replace(tzinfo=UTC, microsecond=0)
    if (match := headers.get("if-match")) is not None:
        if match.strip() != "*" and tag not in _tags(match):
            raise PreconditionFailed("The resource has another revision.")
    elif (since := _date(headers.get("if-unmodified-since"))) is not None and _aware(since) < modified:
        raise PreconditionFailed("The resource has another revision.")
    if (none := headers.get("if-none-match")) is not None:
        if none.strip() == "*" or tag in _tags(none):
            if request.method in ("GET", "HEAD"):
                return True
            raise PreconditionFailed("The resource has another revision.")
    elif (since := _date(headers.get("if-modified-since"))) is not None:
        return request.method in ("GET", "HEAD") and _aware(since) >= modified
    return False


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
