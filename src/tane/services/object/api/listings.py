"""Listings as text, JSON and XML, and what their query asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import falcon

from tane.services.object.domain import metadata
from tane.services.object.domain.reading import version_id
from tane.services.object.store import stamps
from tane.services.object.store.listing import Page, Wanted
from tane.web import codec
from tane.web.errors import NotAcceptable, PreconditionFailed
from tane.web.request import Request, Response

TEXT, JSON, XML, OTHER_XML = "text/plain", "application/json", "application/xml", "text/xml"
FORMATS = {"plain": TEXT, "json": JSON, "xml": XML}


def wanted(request: Request) -> Wanted:
    """:raises PreconditionFailed: a limit over the largest."""
    limit = metadata.LISTING_LIMIT
    given = request.param("limit")
    if given and given.isascii() and given.isdigit():
        limit = int(given) if len(given) < 12 else metadata.LISTING_LIMIT + 1
        if limit > metadata.LISTING_LIMIT:
            raise PreconditionFailed(f"Maximum limit is {metadata.LISTING_LIMIT}")
    texts = {name: request.param(name) or "" for name in ("prefix", "delimiter", "marker", "end_marker")}
    for value in texts.values():
        _check(value)
    reverse = (request.param("reverse") or "").lower() in ("true", "1", "yes", "on", "t", "y")
    return Wanted(limit, **texts, reverse=reverse, path=request.param("path"))


def _check(value: str) -> None:
    if "\0" in value or "�" in value:
        raise PreconditionFailed("Invalid UTF8 or contains NULL")


def media_type(request: Request) -> str:
    """:raises NotAcceptable: none of what is accepted."""
    form = (request.param("format") or "").lower()
    if form in FORMATS:
        return FORMATS[form]
    accept = request.headers.get("accept")
    if not accept:
        return TEXT
    if len(accept) > 1024:
        raise NotAcceptable("The resource is not available in a format acceptable to your browser.")
    try:
        found = falcon.mediatypes.best_match((TEXT, JSON, XML, OTHER_XML), accept)
    except (falcon.InvalidMediaRange, ValueError):
        found = ""
    if not found:
        raise NotAcceptable("The resource is not available in a format acceptable to your browser.")
    return found


def answer(kind: str, entries: Sequence[dict[str, Any]], names: Iterable[str], root: tuple[str, str, str]) -> Response:
    """``root``: the element of the whole, its name, and the element of an entry."""
    charset = f"{kind}; charset=utf-8"
    if kind == JSON:
        return Response(codec.encode(list(entries)), content_type=charset)
    if kind == TEXT:
        text = "".join(f"{name}\n" for name in names)
        if text:
            return Response(text.encode(), content_type=charset)
        return Response(None, 204, {"Content-Length": "0"}, charset)
    return Response(_xml(entries, root), content_type=charset)


def _xml(entries: Sequence[dict[str, Any]], root: tuple[str, str, str]) -> bytes:
    whole, name, element = root
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n', f"<{whole} name={quoteattr(name)}>"]
    for entry in entries:
        if "subdir" in entry:
            text = entry["subdir"]
            parts.append(f"<subdir name={quoteattr(text)}><name>{_text(text)}</name></subdir>")
            continue
        fields = "".join(f"<{key}>{_text(str(value))}</{key}>" for key, value in entry.items())
        parts.append(f"<{element}>{fields}</{element}>")
    parts.append(f"</{whole}>")
    return "".join(parts).encode()


def _text(value: str) -> str:
    """XML has no control characters, not even as entities."""
    return escape("".join(c if c >= " " or c in "\t\n\r" else "�" for c in value))


def containers(found: Iterable[Any]) -> list[dict[str, Any]]:
    return [
        {"subdir": entry}
        if isinstance(entry, str)
        else {
            "name": entry.name,
            "count": entry.objects,
            "bytes": entry.bytes,
            "last_modified": moment(entry.changed),
        }
        for entry in found
    ]


def of_versions(request: Request) -> str:
    """A list of names would not tell versions apart: JSON. :raises NotAcceptable: something else is asked for."""
    form = (request.param("format") or "").lower()
    accept = request.headers.get("accept", "")
    if form != "json" and (form in FORMATS or accept):
        try:
            wanted = form not in FORMATS and len(accept) <= 1024 and falcon.mediatypes.best_match((JSON,), accept)
        except (falcon.InvalidMediaRange, ValueError):
            wanted = False
        if not wanted:
            raise NotAcceptable("The resource is not available in a format acceptable to your browser.")
    return JSON


def objects(page: Page, at: tuple[str, str], *, versions: bool = False) -> list[dict[str, Any]]:
    """``at``: their account and container."""
    account = at[0]
    shown = []
    for entry in page.found:
        if isinstance(entry, str):
            shown.append({"subdir": entry})
            continue
        line = _object(entry, account)
        if versions:
            line |= {"version_id": version_id(entry), "is_latest": (entry.name, entry.stamp) in page.latest}
        elif entry.versioned:
            # There the real service keeps a link to the version; clients know by it that there are versions.
            line.setdefault("symlink_path", f"/v1/{'/'.join((*at, entry.name))}?version-id={version_id(entry)}")
            line["version_symlink"] = True
        shown.append(line)
    return shown


def _object(row: Any, account: str) -> dict[str, Any]:
    line = {
        "name": row.name,
        "hash": row.etag,
        "bytes": row.size,
        "content_type": row.content_type,
        "last_modified": moment(row.stamp),
    }
    if row.kind == "slo":
        line["hash"] = row.manifest_etag
        line["slo_etag"] = f'"{row.etag}"'
    elif row.kind == "symlink":
        target = codec.parse(row.manifest.encode())
        if target["etag"]:
            line |= {"symlink_etag": target["etag"], "symlink_bytes": target.get("bytes", 0)}
            if "slo_etag" in target:
                line["slo_etag"] = f'"{target["slo_etag"]}"'
        line["symlink_path"] = f"/v1/{target['account'] or account}/{target['container']}/{target['object']}"
    return line


def names(found: Iterable[Any]) -> list[str]:
    return [entry if isinstance(entry, str) else entry.name for entry in found]


def moment(stamp: int) -> str:
    return stamps.moment(stamp).isoformat(timespec="microseconds")
