"""Where alarms are told: the log, addresses of the web, resources of stacks. A tenant writes them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import structlog

from tane.core import Core
from tane.db.recording import ASKER
from tane.hosts import store as hosts
from tane.linux import addresses
from tane.services.alarm.orders import CAUSED, NotifyParams
from tane.services.alarm.store import alarms as store
from tane.services.identity import interface as identity
from tane.web import codec, connections, inside, outside
from tane.web.context import Context
from tane.web.errors import ApiError, BadRequest, NotImplementedHere, Unauthorized

log = structlog.get_logger()
SECONDS = 10.0
TRUST = "trust+"
_SIGNAL = re.compile(r"/orchestration(/signal/[^/?#]+/[^/?#]+|/v1/[^?#]+/signal)\Z")


LOCAL = ("log", "test")
"""Actions that send nothing."""


class Again(Exception):
    """It may go better later."""


class Never(Exception):
    """It can never be done; the message may be shown."""


def checked(core: Core, ctx: Context, actions: list[str] | None) -> list[str]:
    """The actions of one state, each once; those that have no host are kept as Aodh does (``log:`` for ``log://``).

    :raises BadRequest: :raises Unauthorized: :raises NotImplementedHere:
    """
    found = list(dict.fromkeys(actions or []))
    for action in found:
        _check(core, ctx, action)
    return [urlsplit(one).geturl() if urlsplit(one).scheme in LOCAL else one for one in found]


def _check(core: Core, ctx: Context, action: str) -> None:
    try:
        scheme = urlsplit(action).scheme
    except ValueError:
        raise BadRequest(f"Unable to parse action {action}") from None
    if scheme in LOCAL:
        if not ctx.is_admin:
            raise Unauthorized(f"You are not authorized to create action: {action}")
        return
    if scheme.startswith(TRUST):
        if urlsplit(action).username is not None:
            raise BadRequest("trust URL cannot contain a trust ID.")
        if scheme not in ("trust+http", "trust+https") or signal_of(core, action.removeprefix(TRUST)) is None:
            raise NotImplementedHere(
                "Actions with a trust are taken on this cloud's own stacks only: a token is sent to nobody else."
            )
        return
    if scheme not in connections.PORTS:
        raise BadRequest(f"Unsupported action {action}")
    if signal_of(core, action) is not None:
        return
    try:
        parts = outside.parts_of(action)
        outside.judge(parts, core.config.alarm.allowed_hosts, ())
    except outside.Refused as error:
        raise BadRequest(f"Unsupported action {action}: {error}") from None


def signal_of(core: Core, action: str) -> str | None:
    """The path below orchestration, where an action is a signal to a stack of this cloud: it is given inside."""
    base = core.config.url
    if not action.startswith(f"{base}/"):
        return None
    match = _SIGNAL.match(action.removeprefix(base).partition("?")[0])
    return None if match is None or ".." in action else unquote(match.group(1))


def take(core: Core, told: NotifyParams) -> None:
    """Do one action. :raises Again: :raises Never:"""
    action = told.action
    scheme = urlsplit(action).scheme
    if scheme in LOCAL:
        log.info("alarm", **{name: value for name, value in told.told.items() if name != "reason_data"})
        return
    trusted, action = scheme.startswith(TRUST), action.removeprefix(TRUST)
    path = signal_of(core, action)
    if path is not None:
        _signal(core, told, path, trusted=trusted)
    elif trusted:
        raise Never("a token is sent to nobody but this cloud")
    else:
        _send(core, action, codec.encode(told.told))


def _signal(core: Core, told: NotifyParams, path: str, *, trusted: bool) -> None:
    try:
        ctx = _acting(core, told.alarm_id) if trusted else Context(f"{CAUSED}{told.alarm_id}")
        # What the signal changes is told as caused by the alarm, as that of a client is by its request.
        former = ASKER.set(lambda: ctx)
        try:
            inside.call(core, ctx, "orchestration", "POST", path, told.told)
        finally:
            ASKER.reset(former)
    except ApiError as error:
        if error.status in (409, 503):
            raise Again(error.message) from None
        raise Never(f"{error.status}: {error.message}") from None


def _acting(core: Core, alarm_id: str) -> Context:
    with core.db.read() as tx:
        row = store.get(tx, alarm_id)
    if row is None or row.delegation is None:
        raise Unauthorized("Nobody stands behind the action any more.")
    given = msgspec.convert(row.delegation, identity.Delegation)
    return identity.acting(core, given, f"{CAUSED}{alarm_id}")


def _send(core: Core, url: str, body: bytes) -> None:
    try:
        status = outside.post(url, body, core.config.alarm.allowed_hosts, _own(core), SECONDS)
    except outside.Refused as error:
        raise Never(str(error)) from None
    except OSError as error:
        raise Again(f"nobody answers: {error or type(error).__name__}") from None
    if status >= 500 or status in (408, 429):
        raise Again(f"the answer is {status}")
    if status >= 300:
        raise Never(f"the answer is {status}" + (": redirects are not followed" if status < 400 else ""))


def _own(core: Core) -> set[str]:
    """Addresses of the cloud, of its machine and of its hosts."""
    config: Any = core.config
    found = {config.host, config.primary_address, config.agents_host, config.local_ip, *addresses.every()}
    with core.db.read() as tx:
        found |= {row.local_ip for row in hosts.all_hosts(tx) if row.local_ip}
    return {text for text in found if text}
