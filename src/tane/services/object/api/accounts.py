"""Accounts."""

from __future__ import annotations

from tane.services.object.api import headers, listings
from tane.services.object.domain import access, accounts, content, metadata
from tane.services.object.domain.accounts import Shown
from tane.services.object.store import stamps
from tane.web.request import Request, Response


def show(request: Request) -> Response:
    """Show an account and list its containers"""
    account = request.path["account"]
    if request.method == "HEAD":
        found = accounts.show(request, account)
        return Response(
            None,
            204,
            {**_headers(request, found), "Content-Length": "0"},
            f"{listings.media_type(request)}; charset=utf-8",
        )
    kind = listings.media_type(request)
    found = accounts.show(request, account, listings.wanted(request))
    rows = found.page.found
    answer = listings.answer(kind, listings.containers(rows), listings.names(rows), ("account", account, "container"))
    answer.headers |= _headers(request, found)
    return answer


def _headers(request: Request, found: Shown) -> dict[str, str]:
    totals, row = found.totals, found.visit.row
    stamp = row.account_stamp if row is not None else stamps.of(request.core.clock.now())
    shown = {
        "X-Account-Container-Count": str(totals.containers if totals else 0),
        "X-Account-Object-Count": str(totals.objects if totals else 0),
        "X-Account-Bytes-Used": str(totals.bytes if totals else 0),
        "X-Timestamp": content.text(stamp),
        "X-Put-Timestamp": content.text(stamp),
        "Accept-Ranges": "bytes",
    }
    for policy in found.policies:
        name = policy.policy.title()
        shown |= {
            f"X-Account-Storage-Policy-{name}-Container-Count": str(policy.containers),
            f"X-Account-Storage-Policy-{name}-Object-Count": str(policy.objects),
            f"X-Account-Storage-Policy-{name}-Bytes-Used": str(policy.bytes),
        }
    if row is not None and row.project_domain_id:
        shown["X-Account-Project-Domain-Id"] = row.project_domain_id
    meta = found.visit.account_meta
    for name, kept in accounts.QUOTAS.items():
        if quota := meta.get(kept):
            shown[f"X-Account-{name.title()}"] = quota
    return {**headers.of_meta(visible(meta, access.may_change(request, found.visit))), **shown}


def visible(meta: dict[str, str], changes: bool) -> dict[str, str]:
    """Keys of signed addresses are shown to nobody but who may set them."""
    return {name: value for name, value in meta.items() if changes or "-temp-url-key" not in name}


def update(request: Request) -> Response:
    """Change an account's metadata"""
    accounts.change(request, request.path["account"], metadata.given(request.headers, "account"))
    return Response(None, 204, {"Content-Length": "0"}, headers.HTML)


def create(request: Request) -> Response:
    """Make an account; for resellers"""
    new = accounts.create(request, request.path["account"], metadata.given(request.headers, "account"))
    return Response(None, 201 if new else 202, {"Content-Length": "0"}, headers.HTML)


def delete(request: Request) -> Response:
    """Delete an account and all that is in it; for resellers"""
    accounts.remove(request, request.path["account"])
    return Response(None, 204, {"Content-Length": "0"}, headers.HTML)
