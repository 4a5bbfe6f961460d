"""What tests of S3 share: a client that signs as the specification says, and lets tests lie."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit
from xml.etree import ElementTree

import httpx

from tests.support import ApiCloud, Caller

HOST = "cloud.test"
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class S3:
    """A credential's calls. ``now``: the client's clock, None for the cloud's."""

    service = "s3"

    def __init__(self, caller: Caller, access: str = "", secret: str = "") -> None:
        self.caller = caller
        self.api: ApiCloud = caller.api
        self.now: datetime | None = None
        if not access:
            path = f"/identity/v3/users/{caller.user_id}/credentials/OS-EC2"
            made = caller.post(path, {"tenant_id": caller.project_id}, 201).json()["credential"]
            access, secret = made["access"], made["secret"]
        self.access, self.secret = access, secret

    @property
    def moment(self) -> str:
        return f"{self.now or self.api.core.clock.now():%Y%m%dT%H%M%SZ}"

    @property
    def scope(self) -> str:
        return f"{self.moment[:8]}/us-east-1/{self.service}/aws4_request"

    @property
    def key(self) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in self.scope.split("/"):
            key = mac(key, part)
        return key

    def sign(self, method: str, path: str, headers: dict[str, str], payload: str) -> tuple[str, str]:
        """The signed headers' names, and the signature."""
        where = urlsplit(path)
        pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(where.query, True))
        names = sorted(headers)
        canonical = "\n".join(
            (
                method,
                where.path,
                "&".join(f"{name}={value}" for name, value in pairs),
                "".join(f"{name}:{headers[name].strip()}\n" for name in names),
                ";".join(names),
                payload,
            )
        )
        text = "\n".join(("AWS4-HMAC-SHA256", self.moment, self.scope, sha256(canonical.encode())))
        return ";".join(names), mac(self.key, text).hex()

    def call(
        self,
        method: str,
        path: str,
        content: bytes = b"",
        *,
        expect: int | None = None,
        payload: str | None = None,
        unsigned: dict[str, str] | None = None,
        **more: str,
    ) -> httpx.Response:
        """``path``: what follows /s3, quoted here; its query as it is. ``more``: headers."""
        where, mark, query = path.partition("?")
        target = "/s3" + quote(where, safe="/~") + mark + query
        said = payload or sha256(content)
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        headers |= {"host": HOST, "x-amz-date": self.moment, "x-amz-content-sha256": said}
        names, signature = self.sign(method, target, headers, said)
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access}/{self.scope}, SignedHeaders={names}, Signature={signature}"
        )
        sent: dict[str, Any] = {"content": content} if content or method in ("PUT", "POST") else {}
        answer = self.api.call(method, target, headers={**headers, **(unsigned or {})}, **sent)
        assert expect is None or answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def get(self, path: str, expect: int = 200, **headers: str) -> httpx.Response:
        return self.call("GET", path, expect=expect, **headers)

    def put(self, path: str, content: bytes = b"", expect: int = 200, **headers: str) -> httpx.Response:
        return self.call("PUT", path, content, expect=expect, **headers)

    def post(self, path: str, content: bytes = b"", expect: int = 200, **headers: str) -> httpx.Response:
        return self.call("POST", path, content, expect=expect, **headers)

    def delete(self, path: str, expect: int = 204, **headers: str) -> httpx.Response:
        return self.call("DELETE", path, expect=expect, **headers)

    def post_sure(self, path: str, content: bytes) -> httpx.Response:
        """With the MD5 that some calls ask for."""
        return self.post(path, content, content_md5=base64.b64encode(hashlib.md5(content).digest()).decode())

    def refused(self, method: str, path: str, content: bytes = b"", **more: Any) -> tuple[int, str]:
        """Status and code of the error."""
        answer = self.call(method, path, content, **more)
        return answer.status_code, code(answer)


def code(answer: httpx.Response) -> str:
    return ElementTree.fromstring(answer.text).findtext("Code") or ""


def texts(answer: httpx.Response, path: str) -> list[str]:
    """The texts of elements of a document: ``texts(answer, "Contents/Key")``."""
    root = ElementTree.fromstring(answer.text)
    return [one.text or "" for one in root.findall("/".join(NAMESPACE + name for name in path.split("/")))]


def framed(s3: S3, parts: list[bytes], seed: str) -> bytes:
    """A body in signed pieces."""
    found, last = b"", seed
    for part in [*parts, b""]:
        lines = ("AWS4-HMAC-SHA256-PAYLOAD", s3.moment, s3.scope, last, sha256(b""), sha256(part))
        last = mac(s3.key, "\n".join(lines)).hex()
        found += f"{len(part):x};chunk-signature={last}\r\n".encode() + part + b"\r\n"
    return found
