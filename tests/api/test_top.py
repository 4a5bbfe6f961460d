"""``tane top``: who uses what now, as who asks may see it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from tane.agent.meters import Shown, batch_of
from tane.cli import top
from tane.cli.client import CallError, Client
from tane.services.metric.domain import gathering
from tests.api.compute_support import Project, project
from tests.support import ADMIN_PASSWORD, HOST_ID, ApiCloud, Caller
from tests.web.test_streams import served

USE = top.Use
app = Typer()
app.command()(top.top)


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


class Told:
    """A host that tells what two guests use, another time whenever it is asked."""

    def __init__(self, garden: Project, *servers: str) -> None:
        self.garden, self.servers, self.count = garden, servers, 0

    def batch(self) -> None:
        self.count += 1
        shown = [Shown("host", HOST_ID, None, {"hardware.memory.total": 4 << 20, "hardware.memory.used": 1 << 20})]
        shown.append(Shown("host", HOST_ID, None, {"hardware.cpu.load.1min": 9.0}))
        for number, server_id in enumerate(self.servers, 1):
            cpu = {"cpu": self.count * number * 1e9, "memory.resident": 100.0 * number}
            shown.append(Shown("guest", server_id, None, cpu))
            shown.append(Shown("disk", server_id, "root", {"disk.device.read.bytes": self.count * 1000.0 * number}))
        gathering.take(self.garden.cloud.core, HOST_ID, batch_of(shown, "run", self.count))


def typed(
    garden: Project, caller: Caller, told: Told | None, patch: pytest.MonkeyPatch, *words: str, user: str = "admin"
) -> Result:
    """Type the command as a caller, while the host tells something whenever a second passes."""
    cloud = garden.cloud

    async def both() -> Result:
        async with served(cloud) as port:
            found = Client.__new__(Client)
            found._base, found._context = f"http://127.0.0.1:{port}", None
            found._token, found.project_id, found._credentials = caller.token, caller.project_id, b"{}"
            patch.setattr(top, "_client", lambda *_: found)
            seconds = [100.0]
            patch.setattr(top, "monotonic", lambda: seconds[0])

            def sleep(some: float) -> None:
                seconds[0] += 1
                if told is not None:
                    told.batch()

            patch.setattr(top, "sleep", sleep)
            return await asyncio.to_thread(CliRunner().invoke, app, ["--user", user, *words])

    done: Result = cloud.wait(both())
    return done


def test_an_administrator_sees_servers_projects_and_hosts(garden: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = garden.server("one"), garden.server("two")
    done = typed(garden, garden.admin, Told(garden, one, two), monkeypatch, "--format", "json")
    assert done.exit_code == 0, done.output
    assert "waiting for the second measurement" in done.stderr
    found = json.loads(done.stdout)
    assert [(row["name"], row["cpu"], row["memory"], row["read"]) for row in found["servers"]] == [
        ("two", 2.0, 200.0, 2000.0),
        ("one", 1.0, 100.0, 1000.0),
    ]
    [mine] = found["projects"]
    assert (mine["name"], mine["servers"], mine["cpu"], mine["memory_has"]) == ("garden", 2, 3.0, 128)
    [host] = found["hosts"]
    assert (host["name"], host["status"], host["servers"], host["memory"], host["memory_has"]) == (
        "host-1",
        "up",
        2,
        1024.0,
        4096.0,
    )
    assert host["cpu"] == 3.0, "what its servers use, not how many of all its processes wait"
    table = typed(garden, garden.admin, Told(garden, one, two), monkeypatch, "--once", "--sort", "name").stdout
    lines = [line.split() for line in table.splitlines()]
    assert lines[0][:5] == ["NAME", "PROJECT", "HOST", "STATUS", "CPU"]
    assert lines[1][:5] == ["one", "garden", "host-1", "ACTIVE", "1.00"] and len(lines) == 3


def test_a_member_sees_the_own_servers_alone(garden: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    garden.server("hers")
    eve = garden.cloud.new_user("eve", "shed")
    done = typed(garden, eve, None, monkeypatch, "--format", "json", "--wait", "0", user="eve")
    assert json.loads(done.stdout) == {"servers": [], "projects": [], "hosts": []}
    done = typed(garden, garden.user, None, monkeypatch, "--format", "json", "--wait", "0", user="mia")
    found = json.loads(done.stdout)
    assert [row["name"] for row in found["servers"]] == ["hers"] and found["hosts"] == []
    assert found["servers"][0]["host"] == "" and found["servers"][0]["cpu"] is None, "nothing was measured yet"


@pytest.mark.parametrize("words", [("--sort", "colour"), ("--show", "beds"), ("--format", "xml")])
def test_a_word_that_it_does_not_know_is_told(words: tuple[str, str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*words, "--state", str(tmp_path)])
    assert done.exit_code == 1 and f"{words[0]} is one of" in done.output and words[1] in done.output


def test_it_logs_in_again_when_its_token_is_over(garden: Project) -> None:
    """It is made to be left open for longer than a token lasts."""

    def look(port: int) -> tuple[str, list[USE]]:
        client = Client(f"http://127.0.0.1:{port}", "admin", ADMIN_PASSWORD, "admin")
        client._token = "over"
        return client.project_id, top.Cloud(client).look()["hosts"]

    async def both() -> tuple[str, list[USE]]:
        async with served(garden.cloud) as port:
            return await asyncio.to_thread(look, port)

    project_id, [host] = garden.cloud.wait(both())
    assert project_id == garden.admin.project_id and host.name == "host-1"


def test_a_cloud_that_does_not_answer_for_a_while_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is never asked more than a tenth of the time."""
    seconds, answers = [100.0], iter([{"servers": []}, CallError("503"), ConnectionRefusedError("no"), {"hosts": []}])

    class Slow(top.Cloud):
        def look(self) -> dict[str, list[USE]]:
            seconds[0] += 3
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

    monkeypatch.setattr(top, "monotonic", lambda: seconds[0])
    watched = top.Watched(Slow(Client.__new__(Client)), 15.0)
    assert watched.look() == {"servers": []} and watched.due == seconds[0] + 27
    assert watched.look() == {"servers": []} and watched.trouble == ""
    for word in ("503", "does not answer"):
        seconds[0] = watched.due
        assert watched.look() == {"servers": []} and word in watched.trouble
    seconds[0] = watched.due
    assert watched.look() == {"hosts": []} and watched.trouble == ""


def test_without_a_terminal_it_says_how_else(garden: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--once" in typed(garden, garden.admin, None, monkeypatch).output


def test_keys_choose_rows_and_order() -> None:
    screen = top.Screen()
    found: dict[str, Any] = {
        "servers": [USE("1", "b", cpu=0.5, memory=9.0), USE("2", "a\x1b[2J", cpu=2.0)],
        "projects": [USE("p", "garden", servers=2)],
        "hosts": [],
    }
    lines = screen.lines(found, (120, 10))
    assert lines[0].startswith("2 servers, 1 projects; servers by cpu") and len(lines) == 6
    assert lines[4].startswith("a") and lines[5].startswith("b") and "\x1b" not in "".join(lines)
    assert screen.key("m") and screen.lines(found, (120, 10))[4].startswith("b")
    assert screen.key("p") and "garden" in screen.lines(found, (120, 10))[4]
    assert screen.key("?") and not screen.key("q")
    assert all(len(line) <= 20 for line in screen.lines(found, (20, 3))) and len(screen.lines(found, (20, 3))) == 3


def test_a_card_that_comes_or_goes_is_no_traffic() -> None:
    readings = top.Readings()

    def take(second: float, **cards: float) -> dict[str, float]:
        name = "ceilometer_network_incoming_bytes"
        lines = [f'{name}{{resource="{card}",vm_instance="x"}} {value}' for card, value in cards.items()]
        readings.take("\n".join(lines) + "\n", second)
        return readings.counters["x"].rates()

    take(0, one=100, two=5e9)
    assert take(60, one=160) == {"received": 1.0}
    assert take(120, one=220, three=7e9) == {"received": 1.0}
    assert take(180, one=280, three=7e9 + 60) == {"received": 2.0}


def test_what_a_guest_used_since_it_began_anew_is_no_negative_number() -> None:
    readings = top.Readings()
    for second, value in ((0.0, 5e9), (1.0, 5e9), (10.0, 7e9), (20.0, 1e9)):
        readings.take(f'ceilometer_cpu{{resource="x",resource_name="a\\"}} b"}} {value!r}\n', second)
    assert readings.counters["x"].rates() == {"cpu": pytest.approx(0.1)}
