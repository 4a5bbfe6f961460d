"""Links to objects for who has no account, and the earlier versions of objects."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from urllib.parse import quote, urlencode
from weakref import WeakValueDictionary

from tane.services.dashboard.api import objects
from tane.services.dashboard.api.incoming import Form
from tane.services.dashboard.api.visit import Visit
from tane.services.dashboard.domain.forms import quoted
from tane.services.dashboard.domain.messages import N_
from tane.web.errors import BadRequest
from tane.web.request import Response

MEMORY = "dashboard.sharing"
KEY = "X-Container-Meta-Temp-URL-Key"
HOURS = (1, 24, 24 * 7, 24 * 30)
MOST_LINKS = 100


async def _header(visit: Visit, container: str, name: str) -> str:
    answer = await objects.ask(visit, "GET", container, query={"format": "json", "limit": "1"})
    return next((str(value) for key, value in answer.headers.items() if key.lower() == name.lower()), "")


async def _key(visit: Visit, container: str) -> str:
    """The container's key. One of a project's pages at a time makes one: a second would end the links of the first."""
    locks = visit.core.memory.setdefault(MEMORY, WeakValueDictionary())
    async with locks.setdefault(visit.ctx.project_id, asyncio.Lock()):
        key = await _header(visit, container, KEY)
        if not key:
            key = secrets.token_urlsafe(32)
            await objects.ask(visit, "POST", container, headers={KEY.lower(): key})
    return key


async def share(visit: Visit, given: Form) -> Response:
    """Addresses that are good for some hours, signed with the container's own key, which is made with the first.

    Source: Swift's "Temporary URL middleware".
    """
    container, names = given.one("container"), given.values.get("name", [])[:MOST_LINKS]
    if given.one("hours") not in map(str, HOURS) or not names:
        raise BadRequest(visit.words(N_("Choose objects, and how long their links are good.")))
    key = await _key(visit, container)
    seconds = int(given.one("hours")) * 3600
    until = int(visit.core.clock.now().timestamp()) + seconds
    account = f"AUTH_{visit.ctx.project_id}"
    links = []
    for name in names:
        text = f"GET\n{until}\n/v1/{account}/{container}/{name}"
        signed = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
        path = f"/v1/{account}/{quote(container, safe='')}/{quote(name)}"
        query = urlencode({"temp_url_sig": signed, "temp_url_expires": until})
        links.append((name, f"{visit.request.base_url}{path}?{query}"))
    return await visit.in_thread(
        visit.page,
        "links.html",
        container=container,
        links=links,
        command=f"swift tempurl GET {seconds} {quoted(f'/v1/{account}/{container}/{names[0]}')} <key>",
    )


async def keeping(visit: Visit, container: str) -> bool:
    """Whether earlier versions of its objects are kept."""
    return (await _header(visit, container, "X-Versions-Enabled")).lower() == "true"


async def keep(visit: Visit, given: Form) -> None:
    """Keep earlier versions from now on, or no more."""
    wanted = "true" if given.one("keep") == "yes" else "false"
    await objects.ask(visit, "POST", given.one("container"), headers={"x-versions-enabled": wanted})


async def restore(visit: Visit, given: Form) -> None:
    """An earlier version becomes the object again; what it was until now is kept as another version."""
    names = (given.one("container"), given.one("name"))
    await objects.ask(visit, "PUT", *names, query={"version-id": given.one("version")[:100]})
