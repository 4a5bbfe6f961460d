"""The operator's own Prometheus, by the cloud's settings: how it is reached, and as whom. A tenant names no address."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import structlog

from tane.config import ConfigError
from tane.core import Core
from tane.web import outside
from tane.web.errors import BadRequest

MOST_ANSWER = 1 << 20
"""Bytes of an answer."""
NONE = Path()
log = structlog.get_logger()


class Unreachable(Exception):
    """Nobody answers, or not as it must be; the message may be shown to operators."""


def post(core: Core, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """(status, answer). :raises Unreachable:"""
    settings = core.config.prometheus
    authorities = None if settings.ca_file == NONE else _below(core, settings.ca_file)
    try:
        told = {**headers, **_credentials(core)}
        return outside.post_to_operator(url, body, told, settings.seconds, MOST_ANSWER, authorities)
    except (outside.Refused, OSError, ValueError, ConfigError) as error:
        raise Unreachable(str(error) or type(error).__name__) from None


def plain(text: str) -> str:
    """What the other side said, as it may be kept and shown: without what governs a terminal, or no database takes."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def ask(core: Core, query: str) -> list[float]:
    """The values of an instant query (``/api/v1/query``) that are numbers; without end they may be.

    :raises BadRequest: Prometheus refuses it, or it has values of another kind; the message may be shown to who asks.
    :raises Unreachable: also when it takes longer than the settings allow.
    """
    settings = core.config.prometheus
    # It gives up itself, before nobody waits any more.
    asked = {"query": query, "timeout": f"{round(settings.seconds * 800)}ms"}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    status, told = post(core, f"{settings.query_url.rstrip('/')}/api/v1/query", urlencode(asked).encode(), kind)
    try:
        answer = msgspec.json.decode(told, type=_Answer)
    except msgspec.MsgspecError:
        raise Unreachable(f"the answer is {status}") from None
    if answer.status != "success" and answer.errorType == "bad_data" and status in (400, 422):
        raise BadRequest(f"Prometheus: {plain(answer.error[:200])}")
    if answer.status != "success" and status == 422:
        # What stops it may be named by where it is: another store, say, which concerns nobody but the operator.
        log.warning("Prometheus cannot evaluate a query", query=query, error=answer.error[:1000])
        raise BadRequest("Prometheus cannot evaluate the query")
    if answer.status != "success" or answer.data is None:
        raise Unreachable(f"the answer is {status}: {answer.error[:200]}")
    if answer.data.resultType not in ("vector", "scalar"):
        raise BadRequest(f"Prometheus: the query has a {answer.data.resultType}, not values of one moment")
    try:
        return _values(answer.data)
    except (msgspec.MsgspecError, ValueError):
        raise Unreachable("the answer has no values of the form of Prometheus") from None


def _values(data: _Data) -> list[float]:
    """:raises BadRequest: :raises MsgspecError: :raises ValueError:"""
    if data.resultType == "scalar":
        pairs = [msgspec.json.decode(data.result, type=_Pair)]
    else:
        found = [one.value for one in msgspec.json.decode(data.result, type=list[_One])]
        pairs = [pair for pair in found if pair is not None]
        if len(pairs) < len(found):
            raise BadRequest("Prometheus: the query has histograms, not values")
    return [value for _, text in pairs if not math.isnan(value := float(text))]


_Pair = tuple[float, str]


class _One(msgspec.Struct):
    """One of a vector: a histogram has no value."""

    value: _Pair | None = None


class _Data(msgspec.Struct):
    resultType: str
    result: msgspec.Raw


class _Answer(msgspec.Struct):
    status: str
    errorType: str = ""
    error: str = ""
    data: _Data | None = None


def _credentials(core: Core) -> dict[str, str]:
    """:raises OSError: :raises ConfigError:"""
    settings = core.config.prometheus
    if settings.token_file != NONE:
        return {"Authorization": f"Bearer {_secret(core, settings.token_file)}"}
    if settings.user:
        pair = f"{settings.user}:{_secret(core, settings.password_file)}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    return {}


def _secret(core: Core, file: Path) -> str:
    """Read each time: it may be drawn anew while the cloud runs."""
    found = _below(core, file).read_text().strip()
    if not found.isprintable():
        raise ConfigError(f"{file}: one line is expected")
    return found


def _below(core: Core, file: Path) -> Path:
    return core.config.state_dir / file
