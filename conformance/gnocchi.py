"""``conformance/run gnocchi``: Gnocchi's own tests of its API (gabbi files of its wheel) against clouds of this here.

Each file has a cloud of its own. Its users ``foobar`` and ``admin`` name themselves by basic authentication, which is
turned into tokens here; nothing else is changed on the way.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import socket
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn

from conformance.packages import install
from tane.app import Cloud, make_core
from tane.config import Config, MetricSettings
from tane.hosts import Hosts
from tane.services.metric.store import database
from tane.services.metric.tables import archive_policy, archive_policy_rule, resource_type
from tane.web import inside
from tane.web.context import Context

GABBI, GNOCCHI = "gabbi==4.2.3", "gnocchi==4.7.1"
PASSWORD = "conformance"
USERS = ("foobar", "foobaz", "jd")
LEFT_OUT = {
    "cors": "no CORS there; a portal of the same origin needs none",
    "http-proxy-to-wsgi": "settings of Gnocchi's deployment",
    "influxdb": "InfluxDB's line protocol is not built",
    "prometheus": "Prometheus remote write in is not built",
    "healthcheck": "a middleware of Gnocchi's deployment",
}
POLICY = '"metric:act_for_others": "@"\n'


class Side:
    """The clouds, one at a time, and what stands before them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cloud: Cloud | None = None
        self.tokens: dict[str, str] = {}
        self.creators: dict[str, str] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="tane-gnocchi-"))
        self.count = 0

    def fresh(self) -> None:
        if self.cloud is not None:
            self.cloud.core.close()
        self.count += 1
        state = self.folder / str(self.count)
        state.mkdir()
        (state / "policy.yaml").write_text(POLICY)
        config = Config(
            state_dir=state, port=self.port, bcrypt_rounds=4, metric=MetricSettings(max_limit=7), log_level="error"
        )
        core = make_core(config, hosts=Hosts())
        self.cloud = Cloud(core)
        self.cloud.prepare(PASSWORD)
        with database.of(core).write() as tx:
            tx.execute(archive_policy_rule.delete())
            tx.execute(archive_policy.delete())
            tx.execute(resource_type.delete().where(resource_type.c.name != "generic"))
        self.creators = {}
        for name in USERS:
            self._make_user(name)
        self.tokens = {name: self._token(name) for name in ("admin", *USERS)}

    def _token(self, name: str) -> str:
        assert self.cloud is not None
        user = {"name": name, "domain": {"id": "default"}, "password": PASSWORD}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}

        async def ask() -> str:
            import httpx

            assert self.cloud is not None
            transport = httpx.ASGITransport(app=self.cloud.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://cloud") as client:
                answer = await client.post("/identity/v3/auth/tokens", json=body)
                assert answer.status_code == 201, answer.text
                return answer.headers["x-subject-token"]

        return asyncio.run(ask())

    def _make_user(self, name: str) -> None:
        assert self.cloud is not None
        core = self.cloud.core
        admin = Context("req-conformance", user_id="admin", roles=("admin",), project_id="admin")

        def ask(method: str, path: str, body: Any = None) -> Any:
            return inside.call(core, admin, "identity", method, path, body)

        user = ask("POST", "/v3/users", {"user": {"name": name, "password": PASSWORD}})["user"]["id"]
        [project] = [one["id"] for one in ask("GET", "/v3/projects")["projects"] if one["name"] == "admin"]
        [role] = [one["id"] for one in ask("GET", "/v3/roles")["roles"] if one["name"] == "member"]
        ask("PUT", f"/v3/projects/{project}/users/{user}/roles/{role}")
        self.creators[name] = f"{user}:{project}"

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/fresh":
            await asyncio.to_thread(self.fresh)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        headers = []
        for name, value in scope["headers"]:
            if name == b"authorization" and value.lower().startswith(b"basic "):
                who = base64.b64decode(value[6:]).decode().partition(":")[0]
                headers.append((b"x-auth-token", self.tokens.get(who, "none").encode()))
            else:
                headers.append((name, value))
        path = scope["path"]
        if not path.startswith("/metric/") and path != "/metric":
            path = "/metric" + path
        assert self.cloud is not None
        raw = path.encode()
        await self.cloud.app({**scope, "path": path, "raw_path": raw, "headers": headers}, receive, self._told(send))

    def _told(self, send: Any) -> Any:
        """Answers as if the service lay at the root, and its users had their names for ids."""

        def rewritten(data: bytes) -> bytes:
            data = data.replace(b"/metric/v1", b"/v1")
            for name, creator in self.creators.items():
                data = data.replace(creator.encode(), name.encode())
            return data

        async def told(event: dict[str, Any]) -> None:
            if event["type"] == "http.response.start":
                kept = [(n, rewritten(v)) for n, v in event["headers"] if n.lower() != b"content-length" or v == b"0"]
                event = {**event, "headers": kept}
            elif event.get("body"):
                event = {**event, "body": rewritten(event["body"])}
            await send(event)

        return told

    def close(self) -> None:
        if self.cloud is not None:
            self.cloud.core.close()
        shutil.rmtree(self.folder)


def run(folder: Path, only: str | None = None) -> list[list[str]]:
    """[file, test, outcome, reason] of each test; ``only``: of files whose name has that in it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    programs = install("gabbi-4.2.3-gnocchi-4.7.1", (GABBI,))
    python = str(programs / "python")
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", GNOCCHI]
    subprocess.run(command, check=True)
    [files] = programs.parent.glob("lib/*/site-packages/gnocchi/tests/functional/gabbits")
    chosen = folder / "gabbits"
    chosen.mkdir()
    for file in files.glob("*.yaml"):
        if file.stem not in LEFT_OUT and (only is None or only in file.stem):
            shutil.copy(file, chosen)
    side = Side(port)
    server = uvicorn.Server(uvicorn.Config(side, host="127.0.0.1", port=port, lifespan="off", log_level="warning"))  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        script = Path(__file__).with_name("gabbi_side.py")
        out = folder / "results.json"
        subprocess.run([python, str(script), str(chosen), "127.0.0.1", str(port), str(out)], check=True)
    finally:
        server.should_exit = True
        thread.join()
        side.close()
    found: list[list[str]] = json.loads(out.read_text())
    return found


def lines(results: Sequence[Sequence[str]]) -> list[str]:
    told = [f"FAILED {file} {name}\n       {reason}" for file, name, outcome, reason in results if outcome == "failed"]
    told += [f"left out: {name}: {why}" for name, why in LEFT_OUT.items()]
    counted = Counter(outcome for _, _, outcome, _ in results)
    return [*told, f"gnocchi: {counted['passed']} passed, {counted['failed']} failed, {counted['skipped']} skipped"]
