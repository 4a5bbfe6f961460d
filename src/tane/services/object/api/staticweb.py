"""Containers as web sites, for whoever comes without a token.

Source: Swift's "StaticWeb".
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import quote

from tane.services.object.api import headers
from tane.services.object.api.listings import moment
from tane.services.object.domain import containers, cors, metadata, tempurl
from tane.services.object.domain.errors import Moved
from tane.services.object.store.listing import Wanted
from tane.web.errors import ApiError, NotFound
from tane.web.request import Request, Response

At = tuple[str, str, str]
Get = Callable[[Request, At], Response]
DIRECTORY = "application/directory"
HTML_HEAD = (
    '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">\n<html>\n'
)


class Site:
    """What a container's ``X-Container-Meta-Web-…`` say, for one request."""

    def __init__(self, request: Request, get: Get) -> None:
        self._request, self._get = request, get
        self.account, self.container = request.path["account"], request.path["container"]
        meta = cors.container_meta(request.core, self.account, self.container)
        self.index, self.error, self.css, self.label, self.directory = (
            meta.get(f"x-container-meta-web-{name}", "").strip()
            for name in ("index", "error", "listings-css", "listings-label", "directory-type")
        )
        self.listings = meta.get("x-container-meta-web-listings", "").lower() in ("true", "1", "yes", "on", "t", "y")

    @property
    def is_one(self) -> bool:
        return bool(self.index or self.listings or self.error)

    def front(self) -> Response:
        """What stands at the container itself."""
        if not (self.index or self.listings):
            raise NotFound("The resource could not be found.")
        self._must_end_with_slash()
        if self.index:
            try:
                return self._get(self._request, (self.account, self.container, self.index))
            except ApiError as error:
                if error.status != 404 or not self.listings:
                    raise
        return self._listing("")

    def below(self, name: str, missing: ApiError | None) -> Response | None:
        """What stands at a name that is no object, or one that marks a folder; None: nothing else than that."""
        folder = name if name.endswith("/") else f"{name}/"
        if self.index:
            try:
                found = self._get(self._request, (self.account, self.container, folder + self.index))
            except ApiError as error:
                if error.status != 404:
                    raise
            else:
                self._must_end_with_slash()
                return found
        if not self.listings:
            return None
        wanted = Wanted(1, prefix=folder)
        _, page = containers.show(self._request, (self.account, self.container), wanted, site=True)
        if not page.found and missing is not None:
            return None
        self._must_end_with_slash()
        return self._listing(folder)

    def _must_end_with_slash(self) -> None:
        """Else the links of the page would lead elsewhere. :raises Moved:"""
        if not self._request.raw_path.endswith("/"):
            where = f"{self._request.base_url}{self._request.raw_path}/{tempurl.query(self._request)}"
            raise Moved("The resource has moved.", {"Location": where})

    def _listing(self, folder: str) -> Response:
        if not self.listings:
            raise NotFound("The resource could not be found.")
        wanted = Wanted(metadata.LISTING_LIMIT, prefix=folder, delimiter="/")
        _, page = containers.show(self._request, (self.account, self.container), wanted, site=True)
        if folder and not page.found:
            raise NotFound("The resource could not be found.")
        return Response(self._page(folder, page.found).encode(), 200, dict(headers.SAFE), headers.HTML)

    def _page(self, folder: str, found: list[Any]) -> str:
        query = tempurl.query(self._request)
        site = self.label or f"/v1/{self.account}/{self.container}"
        title = escape(f"Listing of {site}/{folder}")
        style = ""
        if self.css:
            outside = self.css.startswith(("http://", "https://", "/"))
            where = self.css if outside else "../" * folder.count("/") + quote(self.css) + query
            style = f'  <link rel="stylesheet" type="text/css" href="{escape(where)}" />\n'
        lines = [HTML_HEAD, f" <head>\n  <title>{title}</title>\n{style} </head>\n <body>\n"]
        lines.append(f'  <h1 id="title">{title}</h1>\n  <table id="listing">\n   <tr id="heading">\n')
        for name in ("Name", "Size", "Date"):
            lines.append(f'    <th class="col{name.lower()}">{name}</th>\n')
        lines.append("   </tr>\n")
        above = folder[: folder.rstrip("/").rfind("/") + 1]
        if folder and (not query or above.startswith(self._request.param("temp_url_prefix") or "")):
            up = escape(f"../{query}")
            lines.append(f'   <tr id="parent" class="item"><td colspan="3"><a href="{up}">../</a></td></tr>\n')
        lines += [_line(entry, folder, query) for entry in found]
        return "".join([*lines, "  </table>\n </body>\n</html>\n"])

    def failure(self, error: ApiError) -> Response | None:
        """The site's own page for an error, where it has one."""
        if not self.error or error.status not in (401, 404):
            return None
        try:
            found = self._get(self._request, (self.account, self.container, f"{error.status}{self.error}"))
        except ApiError:
            return None
        found.status = error.status
        return found


def _line(entry: Any, folder: str, query: str) -> str:
    """``query``: of the link, a signed prefix."""
    if isinstance(entry, str):
        name = entry[len(folder) :]
        kind, size, when = "subdir", "&nbsp;", "&nbsp;"
    else:
        name = entry.name[len(folder) :]
        kind = " ".join(f"type-{quote(part)}" for part in entry.content_type.partition(";")[0].split("/"))
        size, when = str(entry.size), moment(entry.stamp)[:19].replace("T", " ")
    # A name that looks like an address must stay below the page.
    link = f'<a href="./{quote(name)}{escape(query)}">'
    return (
        f'   <tr class="item {kind}"><td class="colname">{link}{escape(name)}</a></td>'
        f'<td class="colsize">{size}</td><td class="coldate">{when}</td></tr>\n'
    )


def is_visitor(request: Request) -> bool:
    """Whether a request is that of a site's visitor: without a token, or as if."""
    mode = request.headers.get("x-web-mode", "").lower() in ("true", "1", "yes", "on", "t", "y")
    return request.method in ("GET", "HEAD") and (mode or "x-auth-token" not in request.headers)


def container(request: Request, get: Get) -> Response | None:
    """A container as its visitors see it; None where it is no site."""
    site = Site(request, get)
    if not site.is_one:
        return None
    try:
        return site.front()
    except ApiError as error:
        page = site.failure(error)
        if page is None:
            raise
        return page


def object_(request: Request, at: At, get: Get) -> Response:
    """An object, what stands in its place, or the site's page for errors."""
    try:
        found = get(request, at)
    except ApiError as error:
        return _missing(request, at, get, error)
    kind = (found.content_type or "").partition(";")[0]
    if kind == DIRECTORY or at[2].endswith("/"):
        site = Site(request, get)
        if kind == (site.directory or DIRECTORY) and (site.index or site.listings):
            return site.below(at[2], None) or found
    return found


def _missing(request: Request, at: At, get: Get, error: ApiError) -> Response:
    if error.status not in (401, 404):
        raise error
    site = Site(request, get)
    if not site.is_one:
        raise error
    try:
        found = site.below(at[2], error) if error.status == 404 else None
    except ApiError as other:
        if other.status not in (401, 404):
            raise
        found, error = None, other
    found = found or site.failure(error)
    if found is None:
        raise error
    return found
