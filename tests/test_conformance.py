"""What the conformance run makes of a suite's results and names."""

from __future__ import annotations

from pathlib import Path

from conformance import heat_cases, heat_oracle, heat_templates, heat_types, horizon, report, swift, telemetry, tempest
from conformance.browser import Page
from conformance.report import Result

VERSION_KEYS = ("heat_template_version", "AWSTemplateFormatVersion", "HeatTemplateFormatVersion")


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


def test_heat_and_we_agree_by_equal_values_or_the_same_words() -> None:
    def error(words: str, kind: str = "StackValidationFailed") -> dict[str, str]:
        return {"error": words, "kind": kind}

    assert heat_oracle.same({"value": [1]}, {"value": [1]})
    assert not heat_oracle.same({"value": [1]}, {"value": [2]})
    assert not heat_oracle.same({"value": ""}, error("a.b: nothing"))
    assert not heat_oracle.same(error("nothing"), {"value": ""})
    assert heat_oracle.same(error("nothing"), error("a.b: nothing"))
    assert not heat_oracle.same(error("nothing"), error("a.b: something else"))
    assert heat_oracle.same(error("must be a string"), error("'int' object has no attribute 'split'", "AttributeError"))
    assert heat_oracle.failed(error("object of type 'float' has no len()", "TypeError"))
    assert not heat_oracle.failed(error('Arguments to "if" must be of the form', "TypeError"))
    assert heat_oracle.last_line([], 5) == "heat-oracle: agreed 5, differs 0 of 5"


def test_cases_are_the_same_for_a_seed_and_of_every_version() -> None:
    drawn = list(heat_cases.Cases(3).some(200))
    assert drawn == list(heat_cases.Cases(3).some(200)) != list(heat_cases.Cases(4).some(200))
    versions = {str(value) for one in drawn for key, value in one["template"].items() if key in VERSION_KEYS}
    assert set(heat_cases.HOT) <= versions and "2010-09-09" in versions


def test_templates_of_a_folder_are_counted(tmp_path: Path) -> None:
    (tmp_path / "hot").mkdir()
    (tmp_path / "cfn").mkdir()
    (tmp_path / "hot" / "a.yaml").write_text(
        "heat_template_version: 2018-08-31\nresources: {r: {type: OS::Heat::None}}\n"
    )
    (tmp_path / "hot" / "a_env.yaml").write_text("parameters: {x: 1}\n")
    (tmp_path / "cfn" / "b.template").write_text('{"AWSTemplateFormatVersion": "2010-09-09", "Nonsense": {}}')
    lines = heat_templates.lines(heat_templates.run(tmp_path))
    assert lines[0].startswith("REFUSED cfn/b.template: Nonsense")
    assert "environments read: 1" in lines
    assert "hot/: read 1, of 1 we have all types" in lines
    assert lines[-1] == "heat-templates: read 1, refused 1 of 2"


def test_failures_of_swifts_suites_that_nobody_knows_are_told_apart() -> None:
    causes = report.known(
        "# A list\n\n# Not done,\n# as the README says.\na.A.test_one\na.A.test_two\n\n# Other\na.A.test_three\n"
    )
    assert causes == dict.fromkeys(("a.A.test_one", "a.A.test_two"), "Not done, as the README says.") | {
        "a.A.test_three": "Other"
    }
    results = [Result("a.A.test_one", "failed", "x"), Result("a.A.test_three", "failed", "x")]
    assert swift.good(results, causes)
    told = swift.lines([*results, Result("a.A.test_four", "failed", "why")], causes)
    assert told[0] == "FAILED a.A.test_four\n       why"
    assert not swift.good([Result("a.A.test_four", "failed", "why")], causes)
    assert not swift.good([Result("a.A.test_two", "passed")], causes), "the list must not say what is no longer so"


def test_differences_of_resource_types_that_nobody_knows_are_told_apart() -> None:
    told = ["OS::A: x: update_allowed is true, Heat's false", "OS::B: properties y is missing"]
    known = ["OS::*: update_allowed is true, Heat's false", "OS::C: properties z is missing"]
    assert heat_types.lines(told, 9, known) == [
        "TYPE OS::B: properties y is missing",
        "NO LONGER SO OS::C: properties z is missing",
        "types: 9 properties and attributes, 1 known differences, 1 others",
    ]


def test_a_failure_of_pytest_is_told_by_what_was_raised() -> None:
    text = "test_a.py:3: in test_one\n    assert 1 == 2\nE   AssertionError: 1 != 2\nE   more"
    assert report.first_line(text) == "AssertionError: 1 != 2 more"
    assert swift.named("test/functional/test_a.py::A::test_one") == "test.functional.test_a.A.test_one"


def test_a_command_of_a_client_that_nothing_types_is_named() -> None:
    known = ["metric_list", "metric_resource_list", "metric_resource_batch_delete", "metric_benchmark_metric_show"]
    assert telemetry.unwalked(known) == []
    assert telemetry.unwalked([*known, "alarm_move", "metric_resource_batch_move"]) == [
        "alarm move",
        "metric resource batch move",
    ]


def test_what_fails_though_it_does_not_apply_is_skipped_with_its_cause() -> None:
    results = [
        report.Result("one.test_a[id-1,negative]", "failed", "501"),
        report.Result("one.test_b[id-2]", "failed", "500"),
        report.Result("one.test_c[id-3]", "passed"),
    ]
    causes = {"one.test_a": "nobody has it", "one.test_c": "nobody has it"}
    told = [(one.outcome, one.reason) for one in tempest.applying(results, causes)]
    assert told == [("skipped", "does not apply: nobody has it"), ("failed", "500"), ("passed", "")]
