"""Errors as a page of HTML or as text: what services built on webob answer whoever does not ask for JSON."""

from __future__ import annotations

from html import escape

import falcon

from tane.web.errors import ApiError

HTML, JSON, TEXT = "text/html", "application/json", "text/plain"


def wanted(accept: str | None) -> str:
    """What an ``Accept`` header asks an error to be; HTML when it asks for neither more than for the other."""
    if not accept:
        return HTML
    try:
        html, json = (falcon.mediatypes.quality(kind, accept) for kind in (HTML, JSON))
    except (falcon.InvalidMediaRange, ValueError):
        return HTML
    if not html and not json:
        return TEXT
    return JSON if json > html else HTML


def page(error: ApiError) -> bytes:
    status, text = f"{error.status} {error.title}", escape(error.message)
    head, body = f"<title>{status}</title>", f"<h1>{status}</h1>\n  {text}<br /><br />"
    return f"<html>\n <head>\n  {head}\n </head>\n <body>\n  {body}\n\n\n </body>\n</html>".encode()


def text(error: ApiError) -> bytes:
    return f"{error.status} {error.title}\n\n{error.message}\n".encode()
