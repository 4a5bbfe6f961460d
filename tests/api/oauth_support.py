"""A consumer of OAuth as its library makes it: what it signs, and the three steps to a login."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
from oauthlib import oauth1

from tests.api.identity_support import V3, make
from tests.support import ApiCloud, Caller

OAUTH = f"{V3}/OS-OAUTH1"
LOGIN = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}


@dataclass
class Pair:
    """A key and its secret: of a consumer, a request token, an access token."""

    key: str = ""
    secret: str = ""
    expires_at: str = ""


class Consumer:
    """A program that acts for users, with the clock of the cloud."""

    def __init__(self, cloud: ApiCloud, pair: Pair) -> None:
        self.cloud = cloud
        self.pair = pair

    @classmethod
    def make(cls, cloud: ApiCloud) -> Consumer:
        made = make(cloud.admin, "consumer", "OS-OAUTH1/consumers", description="a gardening program")
        return cls(cloud, Pair(made["id"], made["secret"]))

    def sign(self, path: str, token: Pair | None = None, **more: Any) -> dict[str, str]:
        """The header of a signed POST."""
        more.setdefault("timestamp", str(int((self.cloud.core.clock.now() - datetime(1970, 1, 1)).total_seconds())))
        if token is not None:
            more |= {"resource_owner_key": token.key, "resource_owner_secret": token.secret}
        client = oauth1.Client(self.pair.key, client_secret=self.pair.secret, **more)
        return dict(client.sign(f"http://cloud.test{path}", "POST")[1])

    def ask(self, project_id: str, **more: Any) -> httpx.Response:
        path = f"{OAUTH}/request_token"
        headers = self.sign(path, callback_uri="oob", **more) | {"Requested-Project-Id": project_id}
        return self.cloud.call("POST", path, headers=headers)

    def exchange(self, asked: Pair, verifier: str, **more: Any) -> httpx.Response:
        path = f"{OAUTH}/access_token"
        return self.cloud.call("POST", path, headers=self.sign(path, asked, verifier=verifier, **more))

    def enter(self, access: Pair, scope: Any = None, **more: Any) -> httpx.Response:
        path = f"{V3}/auth/tokens"
        auth = LOGIN["auth"] | ({} if scope is None else {"scope": scope})
        return self.cloud.call("POST", path, json={"auth": auth}, headers=self.sign(path, access, **more))

    def get_access(self, user: Caller, *roles: str) -> Pair:
        """The three steps: an access token for the user's project with these roles, given by name."""
        asked = pair_of(self.ask(user.project_id))
        return pair_of(self.exchange(asked, authorize(user, asked, *roles)))


def pair_of(response: httpx.Response) -> Pair:
    assert response.status_code == 201, response.text
    assert response.headers["content-type"] == "application/x-www-form-urlencoded"
    form = {name: values[0] for name, values in parse_qs(response.text).items()}
    return Pair(form["oauth_token"], form["oauth_token_secret"], form.get("oauth_expires_at", ""))


def authorize(user: Caller, asked: Pair, *roles: str) -> str:
    """Returns the verifier."""
    body = {"roles": [{"name": role} for role in roles]}
    return str(user.put(f"{OAUTH}/authorize/{asked.key}", body, 200).json()["token"]["oauth_verifier"])
