"""One request: built from a line of a route table, mostly wrong in one place."""

from __future__ import annotations

import functools
import json
import random
import re
from dataclasses import dataclass, field
from urllib.parse import quote

from fuzz import portal, values
from fuzz.world import Actor, World
from tane.web.routes import Route, Service

LIMITS = ("0", "1", "2", "-1", "abc", "", "1e3", "²", "9" * 30, "1.5", "%00", "1000001")
QUERY = ("limit", "marker", "sort_key", "sort_dir", "sort", "offset", "fields", "name", "status", "id", "page_reverse")
MORE_QUERY = ("all_tenants", "project_id", "tenant_id", "changes-since", "changes-before", "tags", "not-tags-any", "ip")
ODD_QUERY = ("start", "end", "detailed", "metadata", "with_count", "usage", "flavor", "host", "created_at", "fixed_ips")
OTHER_QUERY = (
    "visibility",
    "member_status",
    "size_min",
    "user_id",
    "device_id",
    "network_id",
    "router:external",
    "a[]",
)
WANTED = (
    "asc",
    "desc",
    "created_at",
    "id",
    "name",
    "name:desc",
    "id:asc,name:desc",
    "in:a,b",
    "gt:2026-01-01T00:00:00Z",
)
PATHS = (
    "..",
    ".",
    "%00",
    "%2F",
    "%FF",
    "%25",
    "a" * 5000,
    " ",
    "種",
    "null",
    "0",
    "-1",
    "1" * 40,
    "detail",
    "'",
    "a;b",
    "",
)

ADMIN_ONLY = ("rule:context_is_admin", "rule:admin_required", "role:admin")
NAMED = ("tags", "metadata", "extra_specs", "ips")
"""What is named, not given an id: another project's would be told back as one's own."""


@dataclass
class Question:
    """What is sent. ``collection`` is the path segment whose resources the answer to a POST tells.

    ``project`` is the one whose resources it is about: the caller's, at times with another's among them. An
    administrator's is any, and always one: what he puts together across projects tells each of the other, rightly.
    """

    service: Service
    route: Route
    actor: Actor
    project: str
    headers: dict[str, str]
    path: str = ""
    content: bytes | None = None
    query: list[tuple[str, str]] = field(default_factory=list)

    @property
    def collection(self) -> str:
        return self.route.path.rstrip("/").split("/")[-1]

    @property
    def line(self) -> str:
        action = f" {self.route.action}" if self.route.action else ""
        return f"{self.route.method} {self.service.prefix}{self.route.path}{action}"

    @property
    def text(self) -> str:
        """All that was sent: what of it comes back is no leak."""
        sent = (self.path, str(self.query), str(self.headers), (self.content or b"").decode(errors="replace"))
        return " ".join(sent)


def ask(here: World, service: Service, route: Route) -> Question:
    rng = here.rng
    checks = {rule.name: rule.check for rule in service.rules}
    for_admins = checks.get(route.policy or "") in ADMIN_ONLY
    actor = rng.choices(here.actors, weights=(9 if for_admins else 2, 4, 1, 2, 0.5))[0]
    wrong = rng.choices(
        ("nothing", "body", "raw", "path", "query", "headers"), weights=(25, 40 if route.body else 2, 4, 10, 12, 5)
    )[0]
    headers = {"X-Auth-Token": actor.caller.token, **version(service, route, rng)}
    projects = [other.caller.project_id for other in here.actors if other.caller.project_id and not other.is_admin]
    project = rng.choice(projects) if actor.is_admin else actor.caller.project_id
    question = Question(service, route, actor, project, headers)
    if service.name == "dashboard":
        asked = portal.ask(here, service, route, actor, project)
        question.path, question.headers, question.content, question.query = asked
        return question
    question.path = path(here, question, wrong == "path")
    if route.path == "/v3/auth/tokens" and route.method != "POST":
        headers["X-Subject-Token"] = here.api.login("bob", "bob-secret", "blue").token
    if route.method in ("POST", "PUT", "PATCH"):
        question.content = body(here, question, wrong)
        headers["Content-Type"] = "application/octet-stream" if route.stream else "application/json"
        if service.name == "image" and route.method == "PATCH":
            headers["Content-Type"] = "application/openstack-images-v2.1-json-patch"
    if wrong == "query" or (route.method == "GET" and rng.random() < 0.3):
        question.query = query(here, actor, rng)
    if wrong == "headers":
        spoil_headers(headers, service, rng)
    return question


def version(service: Service, route: Route, rng: random.Random) -> dict[str, str]:
    if service.microversions is None:
        return {}
    low, high = service.microversions.minimum, service.microversions.maximum
    newest = int(route.until.split(".")[1]) if route.until else high[1]
    minor = newest if rng.random() < 0.7 else rng.randint(low[1], high[1])
    return {"OpenStack-API-Version": f"{service.microversions.service_type} {high[0]}.{minor}"}


def path(here: World, question: Question, wrong: bool) -> str:
    service, route = question.service, question.route
    rng, parts = here.rng, (service.prefix + route.path).split("/")
    names = [i for i, part in enumerate(parts) if part.startswith("{")]
    spoilt = rng.choice(names) if names and wrong else None
    for i in names:
        if i == spoilt:
            odd = rng.choice(PATHS)
            parts[i] = rng.choice((quote(odd, safe="%"), "6f1c5e9e-5bb2-4f33-9c33-7a1c14e8a111"))
        elif service.name == "volume" and parts[i - 1] == "v3":
            parts[i] = question.actor.caller.project_id or "none"
        else:
            parts[i] = quote(identifier(here, question, parts[i - 1]), safe="")
    return "/".join(parts) + ("/" if rng.random() < 0.01 else "")


def identifier(here: World, question: Question, kind: str) -> str:
    route, actor = question.route, question.actor
    if kind in NAMED:
        return here.pick(kind, question.project, foreign=0, strict=True) or actor.mark
    # A role may be granted and taken away, but stays; so does everything else the callers need.
    lasting = route.method != "GET" and not (kind == "roles" and "/users/" in route.path)
    for _ in range(8):
        found = here.pick(kind, question.project, strict=actor.is_admin)
        if found is not None and not (lasting and found in here.fixed):
            return found
    return "6f1c5e9e-5bb2-4f33-9c33-7a1c14e8a222"


def body(here: World, question: Question, wrong: str) -> bytes:
    rng, route, actor = here.rng, question.route, question.actor
    if route.stream:
        return rng.choice((b"", b"disk" * 64, b"QFI\xfb" + bytes(100), rng.randbytes(600)))
    name = f"{actor.mark}{rng.randrange(16**6):06x}"
    if route.body is not None:
        pick = functools.partial(here.pick, project=question.project, strict=actor.is_admin)
        value = values.valid(route.body, rng, pick, name, required_only=rng.random() < 0.3)
    elif route.method == "PATCH":
        fields = ("name", "tags", "visibility", "min_disk", "custom", "owner", "os_hidden", "protected", "status", "id")
        places = [f"/{name}" for name in fields]
        change = {"op": rng.choice(("add", "replace", "remove")), "path": rng.choice(places), "value": name}
        value = [change]
    else:
        value = {route.action: rng.choice((None, {}))} if route.action else {"key": name, name: name}
        [value] = [value] if route.action else [{rng.choice(list(value)): name}]
    if route.path.endswith("{key}"):
        pair = {question.path.rstrip("/").split("/")[-1]: name}
        value = {"meta": pair} if "/metadata/" in route.path else pair
    if wrong == "body":
        value = values.spoil(value, rng)
    content = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")
    return spoil_raw(content, rng) if wrong == "raw" else content


def spoil_raw(content: bytes, rng: random.Random) -> bytes:
    return rng.choice(
        (
            content[: rng.randrange(len(content) + 1)],
            content + b"}",
            b"",
            b"null",
            b"[]",
            b"\xff\xfe" + content,
            content.replace(b'"', b"'"),
            re.sub(rb'"[^"]*"', rb'"\\ud800"', content, count=2),
            re.sub(rb'"[^"]*"}', b"1" * 5000 + b"}", content),
            b'{"a":' * 100_000,
            b"[" * 100_000,
            b'{"a":' * 5000 + b"1" + b"}" * 5000,
        )
    )


def query(here: World, actor: Actor, rng: random.Random) -> list[tuple[str, str]]:
    names = rng.choices((*QUERY, *QUERY, *MORE_QUERY, *ODD_QUERY, *OTHER_QUERY), k=rng.choice((1, 1, 2, 3)))
    return [(name, wanted(here, name, actor, rng)) for name in names]


def wanted(here: World, name: str, actor: Actor, rng: random.Random) -> str:
    if name == "limit":
        return rng.choice(LIMITS)
    kinds = [kind for kind in here.known if kind not in ("users", "projects")]
    chance = rng.random()
    if name == "marker" or chance < 0.2:
        return here.pick(rng.choice(kinds), actor.caller.project_id, foreign=0.5) or ""
    if chance < 0.5:
        return rng.choice(WANTED)
    text = values.junk(rng) if chance < 0.8 else rng.choice(LIMITS)
    return str(text).encode(errors="replace").decode()[:2000]


def spoil_headers(headers: dict[str, str], service: Service, rng: random.Random) -> None:
    kind = service.microversions.service_type if service.microversions else service.name
    versions = ("2.9999", "latest", "2", "x.y", "2.1.1", "", "-1.-1", "²." + "9" * 50, "1" * 5000 + ".1", "2. 1", "٢.١")
    changes: list[tuple[str, tuple[str, ...]]] = [
        ("OpenStack-API-Version", tuple(f"{kind} {text}" for text in versions)),
        ("X-OpenStack-Nova-API-Version", versions),
        (
            "Content-Type",
            ("text/plain", "", "application/xml", ";;;", "multipart/form-data", "application/json;charset=x"),
        ),
        (
            "X-Auth-Token",
            ("", "gAAAAA", "é" * 20, "a" * 8000, headers["X-Auth-Token"][:-3], headers["X-Auth-Token"] + "="),
        ),
        ("X-Subject-Token", ("", "gAAAAA", "é", headers["X-Auth-Token"][:-2])),
        (
            "Range",
            ("bytes=0-1", "bytes=9-1", "bytes=-0", "bytes=a-b", "bytes=0-99999999999999999999", "lines=1", "bytes="),
        ),
        ("Content-Range", ("bytes 0-1/4", "x")),
        ("Accept", ("text/html", "*/*;q=x")),
        ("Forwarded", ("for=;;;host=\x01", "host=évil")),
        ("X-Forwarded-Host", ("a b", "é")),
        ("Content-Length", ("-1", "abc", "99999999999")),
    ]
    name, texts = rng.choice(changes)
    headers[name] = rng.choice(texts).encode("utf-8", "replace").decode("latin-1")
