"""What the conformance run makes of a suite's results and names."""

from __future__ import annotations

from conformance import horizon, report, tempest
from conformance.browser import Page
from conformance.report import Result


def test_figures_are_told_by_service_and_kind() -> None:
    results = [
        Result("tempest.api.volume.test_a.A.test_one[id-1]", "passed"),
        Result("tempest.api.volume.admin.test_b.B.test_two[id-2]", "failed", "why"),
        Result("tempest.api.compute.test_c.C.test_three[id-3]", "skipped"),
        Result("tempest.scenario.test_d.D.test_four[id-4]", "passed"),
    ]
    assert report.groups(results).splitlines()[2:] == [
        "| `tempest.api.compute` | 0 | 0 | 1 | 1 |",
        "| `tempest.api.volume` | 1 | 1 | 0 | 2 |",
        "| `tempest.scenario` | 1 | 0 | 0 | 1 |",
    ]
    assert report.groups(results) in report.markdown("tempest", results, 60.0)


def test_a_test_that_the_settings_mark_slow_is_asked_for_under_that_name() -> None:
    listed = ["tempest.a.A.test_one[id-1]", "tempest.a.A.test_two[id-2,slow]"]
    chosen = ["tempest.a.A.test_one[id-1,slow]", "tempest.a.A.test_two[id-2,slow]", "tempest.a.A.gone[id-3]"]
    assert tempest.as_named(chosen, listed) == [*listed, "tempest.a.A.gone[id-3]"]


def test_a_test_of_several_samples_is_asked_for_with_each() -> None:
    listed = ["tempest.a.A.test_one[id-1](raw)", "tempest.a.A.test_one[id-1](qcow2)"]
    assert tempest.as_named(["tempest.a.A.test_one[id-1,slow](raw)", listed[1]], listed) == listed


def test_error_boxes_of_a_page_are_read_and_no_templates_of_them() -> None:
    text = """
        <noscript><div class="alert alert-danger">This application requires JavaScript.</div></noscript>
        <script type="text/html"><div class="alert alert-danger">{{message}}</div></script>
        <div class="messages"><div class="alert alert-danger fade in"><a>x</a><p><strong>Error: </strong>No
          <div>quota</div></p></div></div><div class="alert alert-info">All is well</div>
    """
    page = Page("http://h/project/", 200, text, 0.1)
    assert page.errors() == ["x Error: No quota"]


def test_errors_that_scripts_show_are_read_from_the_header() -> None:
    said = '[["error", "Unable to retrieve volumes.", ""], ["info", "Done.", ""]]'
    assert Page("http://h/", 200, "{}", 0.1, {"x-horizon-messages": said}).errors() == ["Unable to retrieve volumes."]


def test_a_page_leads_to_pages_of_its_own_server() -> None:
    text = '<a class="x" href="/project/volumes/?a=1&amp;b=2">v</a><a href="#top">t</a><a href="http://else/x">e</a>'
    assert Page("http://h/project/", 200, text, 0.1).links() == ["/project/volumes/?a=1&b=2"]


def test_the_figures_of_a_walk_count_panels_and_what_lies_behind_them() -> None:
    visits = [
        horizon.Visit("admin", "project/volumes", "/project/volumes/", 200, 0.5, "", own=True),
        horizon.Visit("admin", "project/images", "/project/images/", 200, 0.5, "Error: no", boxes=1, own=True),
        horizon.Visit("admin", "project/images", "/api/glance/images/", 0, 60.0, "endless: nothing after 60 s"),
        horizon.Visit("admin", "admin/volume_groups", "/admin/x/", 500, 0.1, "status 500", boxes=1, defect="known"),
    ]
    outcome = horizon.Outcome(visits, ["admin project/trunks"])
    assert [visit.path for visit in outcome.failed] == ["/project/images/", "/api/glance/images/"]
    assert horizon.last_line(outcome) == (
        "horizon: 2 panels, 2 loaded, 1 error boxes, 1 endless; "
        "behind them 2 pages, tabs and calls, 1 failed; 1 panels hidden"
    )
