"""What the conformance run makes of a suite's results and names."""

from __future__ import annotations

from conformance import report, tempest
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
