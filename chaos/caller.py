"""Calls that know the three ends of a request: done, refused, or unknown because the cloud died meanwhile."""

from __future__ import annotations

import time
from typing import Any

import httpx


class Refused(Exception):
    """The cloud answered an error: nothing was changed."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text[:300]}")
        self.status = status


class Unknown(Exception):
    """The connection broke: the request may have been carried out or not."""


class Caller:
    """One user's calls, scoped to the project of the same name."""

    def __init__(self, base: str, user: str, password: str, project: str) -> None:
        self._http = httpx.Client(base_url=base, timeout=60)
        self._login = (user, password, project)
        self._token = ""
        self.project_id = ""

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, body: Any = None, version: str = "") -> Any:
        """The decoded answer; ``version``: the microversion to ask for. :raises Refused: :raises Unknown:"""
        try:
            if not self._token:
                self._log_in()
            headers = {"X-Auth-Token": self._token, **({"OpenStack-API-Version": version} if version else {})}
            answer = self._http.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            raise Unknown(f"{method} {path}: {error}") from error
        if answer.status_code >= 400:
            raise Refused(answer.status_code, f"{method} {path}: {answer.text}")
        return answer.json() if answer.content else None

    def patiently(self, method: str, path: str, body: Any = None, seconds: float = 60) -> Any:
        """The same, again and again while the cloud does not answer; for reads."""
        until = time.monotonic() + seconds
        while True:
            try:
                return self.call(method, path, body)
            except (Unknown, Refused) as error:
                passing = isinstance(error, Unknown) or error.status >= 500
                if not passing or time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _log_in(self) -> None:
        user, password, project = self._login
        domain = {"id": "default"}
        identity = {
            "methods": ["password"],
            "password": {"user": {"name": user, "domain": domain, "password": password}},
        }
        scope = {"project": {"name": project, "domain": domain}}
        answer = self._http.post("/identity/v3/auth/tokens", json={"auth": {"identity": identity, "scope": scope}})
        if answer.status_code != 201:
            raise Refused(answer.status_code, f"login of {user}: {answer.text}")
        self._token = answer.headers["x-subject-token"]
        self.project_id = answer.json()["token"]["project"]["id"]
