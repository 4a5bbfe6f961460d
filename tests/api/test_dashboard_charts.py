"""Charts of the portal: what was measured, as pictures and figures, to whom it belongs."""

from __future__ import annotations

import re

import pytest

from tane.agent.meters import Shown, batch_of
from tane.services.dashboard.domain import charts
from tane.services.metric.domain import gathering
from tests.api.compute_support import project
from tests.api.dashboard_support import Browser, D, admin, member
from tests.support import HOST_ID, ApiCloud, register

USER = "garden-mia"
MARKUP = "\"'><script>alert(1)</script>"


def measure(cloud: ApiCloud, server: str, minutes: int = 21) -> None:
    """Minute by minute the host tells what its guest used: half a processor, 64 MiB, 100,000 bytes read a second."""
    for minute in range(minutes):
        shown = [
            Shown("guest", server, None, {"cpu": minute * 30e9, "memory.resident": 64.0}),
            Shown("disk", server, "root", {"disk.device.read.bytes": minute * 6e6, "disk.device.write.bytes": 0.0}),
            Shown("host", HOST_ID, None, {"hardware.cpu.load.1min": 0.75}),
        ]
        gathering.take(cloud.core, HOST_ID, batch_of(shown, "run", minute))
        cloud.advance(60)
        register(cloud.core)


def test_a_server_a_project_and_a_host_have_charts(cloud: ApiCloud) -> None:
    garden = project(cloud)
    server = garden.server(MARKUP)
    browser = Browser(cloud)
    browser.login(USER, f"{USER}-secret")
    empty = browser.get(f"{D}/servers/{server}/charts")
    assert "Nothing was measured in this time." in empty and "<svg class" not in empty
    measure(cloud, server)
    for page in (f"{D}/servers/{server}/charts", f"{D}/charts"):
        for span in ("hour", "day", "week", "nonsense"):
            text = browser.get(f"{page}?span={span}")
            assert "50.0 %" in text and "64.0 MiB" in text and "97.7 KiB/s" in text, (page, span)
            assert text.count("<svg class") == 4 and text.count("<title id=") == 4 and "<script>alert" not in text
            assert "openstack metric aggregates" in text and len(text.encode()) < 20 << 10
    assert f'href="{D}/servers/{server}/charts"' in browser.get(f"{D}/servers/{server}")
    assert f'href="{D}/charts"' in browser.get(D)
    boss = admin(cloud)
    assert "0.75" in boss.get(f"{D}/hosts/{HOST_ID}/charts")
    assert "50.0 %" in boss.get(f"{D}/all-servers/{server}/charts")
    noa = member(cloud, "noa", "orchard")
    noa.get(f"{D}/servers/{server}/charts", 404)
    assert "50.0 %" not in noa.get(f"{D}/charts") and noa.send("GET", f"{D}/hosts/{HOST_ID}/charts").status_code == 403


def test_what_takes_long_is_drawn_where_such_things_are(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    from tane.services.metric.domain import operations

    garden = project(cloud)
    server = garden.server()
    measure(cloud, server, 7)
    monkeypatch.setattr(operations, "FEW_STEPS", 1)
    browser = Browser(cloud)
    browser.login(USER, f"{USER}-secret")
    for page in (f"{D}/servers/{server}/charts", f"{D}/charts"):
        assert "50.0 %" in browser.get(page)


def test_a_chart_has_few_points_and_no_step_back() -> None:
    fine = [(float(at), 60.0, 2.0) for at in range(0, 600, 60)]
    coarse = [(0.0, 3600.0, 99.0)]
    assert charts.gathered([*coarse, *fine], 0, 300, 3, 10.0) == [20.0, 20.0, None]
    assert charts.gathered([(0.0, 60.0, -5.0)], 0, 300, 1, 1.0) == [0.0]
    assert charts.gathered([], 0, 300, 2, 1.0) == [None, None]
    drawn = charts.drawn("t", [charts.Series("s", [1.0, None, 0.5])], charts.percent, 0.1)
    [(_, _, path)] = drawn.lines
    assert drawn.ceiling == "1.0 %" and re.fullmatch(r"M0 0H200M400 70H600", path)
