"""A small client for the commands' own use of the APIs; users take the standard ones."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

UNAUTHORIZED = 401


class CallError(Exception):
    """The cloud answered an error; the message holds method, path, status and body. ``told``: what the body says to a
    person, where it is an error of the usual form."""

    told: str = ""
    status: int = 0


def _told(content: bytes) -> str:
    try:
        found = json.loads(content)
        # Of rating the message stands beside its other envelope, of orchestration in one of several.
        [error] = [found] if "message" in found else [found["error"]] if "error" in found else found.values()
        return str(error["message"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""


def connect(base: str, context: ssl.SSLContext | None, timeout: float) -> http.client.HTTPConnection:
    """A connection to a cloud, not open yet."""
    parts = urlsplit(base)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout, context=context)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)


class Client:
    """One user's calls, scoped to a project."""

    def __init__(
        self, base: str, user: str, password: str, project: str, context: ssl.SSLContext | None = None
    ) -> None:
        """``context``: how to trust the server of an ``https`` address (:func:`tane.web.tls.client_context`)."""
        self._base, self._context = base, context
        identity = {
            "methods": ["password"],
            "password": {"user": {"name": user, "domain": {"id": "default"}, "password": password}},
        }
        scope = {"project": {"name": project, "domain": {"id": "default"}}}
        self._credentials = json.dumps({"auth": {"identity": identity, "scope": scope}}).encode()
        self._log_in()

    def _log_in(self) -> None:
        self._token = ""
        headers, answer = self._exchange("POST", "/identity/v3/auth/tokens", self._credentials, {})
        self._token = headers["x-subject-token"]
        self.project_id: str = json.loads(answer)["token"]["project"]["id"]

    def call(self, method: str, path: str, body: Any = None, *, microversion: str | None = None) -> Any:
        """Send JSON, return the decoded answer (None when it has no body). :raises CallError: for status 400 and up.

        ``microversion``: the service's type and the version, as the header has it (``compute 2.15``).
        """
        raw = None if body is None else json.dumps(body).encode()
        headers = {"OpenStack-API-Version": microversion} if microversion else {}
        _, answer = self._exchange(method, path, raw, {"Content-Type": "application/json", **headers})
        return json.loads(answer) if answer else None

    def text(self, path: str) -> str:
        """What is answered as text. :raises CallError:"""
        return self._exchange("GET", path, None, {})[1].decode()

    def upload(self, path: str, file: Path) -> None:
        """Send a file as the body."""
        with file.open("rb") as content:
            size = str(file.stat().st_size)
            self._exchange("PUT", path, content, {"Content-Type": "application/octet-stream", "Content-Length": size})

    def wait(
        self,
        path: str,
        ready: Callable[[Any], bool],
        *,
        seconds: float,
        failed: Callable[[Any], str | None],
        microversion: str | None = None,
    ) -> Any:
        """Ask until ``ready(answer)``. :raises CallError: when ``failed(answer)`` gives a reason, or in time."""
        until = time.monotonic() + seconds
        while True:
            answer = self.call("GET", path, microversion=microversion)
            if ready(answer):
                return answer
            reason = failed(answer)
            if reason is not None:
                raise CallError(f"{path}: {reason}")
            if time.monotonic() > until:
                raise CallError(f"{path}: not ready after {seconds:.0f} s: {answer}")
            time.sleep(0.05)

    def _exchange(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[dict[str, str], bytes]:
        """One call; where the token holds no longer, once more with another. :raises CallError:"""
        try:
            return self._send(method, path, body, headers)
        except CallError as error:
            # Of a file that was sent nothing is left to send.
            if error.status != UNAUTHORIZED or not self._token or not isinstance(body, bytes | None):
                raise
        self._log_in()
        return self._send(method, path, body, headers)

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[dict[str, str], bytes]:
        connection = connect(self._base, self._context, timeout=120)
        try:
            sent = {**headers, "Accept": "application/json", **({"X-Auth-Token": self._token} if self._token else {})}
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            error = CallError(f"{method} {path}: {answer.status} {content.decode(errors='replace')[:500]}")
            error.told, error.status = _told(content), answer.status
            raise error
        return {name.lower(): value for name, value in answer.getheaders()}, content
