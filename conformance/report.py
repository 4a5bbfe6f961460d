"""What came out of a suite: results from JUnit XML, a Markdown report, one line of figures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

Outcome = Literal["passed", "failed", "skipped"]
CLASS_FIXTURES = ("setUpClass", "tearDownClass")


@dataclass(frozen=True)
class Result:
    """One test; ``reason`` is the first line of why it failed or was skipped."""

    name: str
    outcome: Outcome
    reason: str = ""
    seconds: float = 0.0


def from_junit(file: Path) -> list[Result]:
    """The results in a JUnit file, those of class fixtures (``setUpClass (…)``) among them."""
    results = []
    for case in ElementTree.parse(file).getroot().iter("testcase"):
        name = ".".join(part for part in (case.get("classname"), case.get("name")) if part)
        outcome, reason = _outcome(case)
        results.append(Result(name, outcome, reason, float(case.get("time") or 0)))
    return results


def _outcome(case: ElementTree.Element) -> tuple[Outcome, str]:
    for element in case:
        if element.tag == "skipped":
            return "skipped", first_line(element.text or element.get("message") or "")
        if element.tag in ("failure", "error"):
            return "failed", first_line(element.text or "")
    return "passed", ""


def first_line(text: str) -> str:
    """What was raised last, with its details: the sentence of a traceback that tells why."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    raised = [number for number, line in enumerate(lines) if re.match(r"[\w.]+(?:Error|Exception|\b)*: ?", line)]
    starts = [number for number, line in enumerate(lines) if "Traceback (most recent call last)" in line]
    if not starts:
        # pytest's own form marks what was raised.
        told = [line.removeprefix("E").strip() for line in lines if re.match(r"E\s", line)]
        return " ".join(told[:3])[:500] if told else lines[0] if lines else ""
    after = [number for number in raised if number > starts[-1]]
    if not after:
        return lines[-1]
    return " ".join(line.strip() for line in lines[after[0] : after[0] + 3])[:500]


def complete(results: Iterable[Result], expected: list[str]) -> list[Result]:
    """One result for each expected test: what a class could not set up has failed, or was skipped with it.

    A test without any result failed: nothing that was asked for may get lost.
    """
    by_name: dict[str, Result] = {}
    fixtures: dict[str, Result] = {}
    for result in results:
        fixture = re.match(r"(\w+) \(([\w.]+)\)", result.name)
        if fixture is None:
            by_name[result.name] = result
        elif fixture[1] in CLASS_FIXTURES and (result.outcome == "failed" or fixture[2] not in fixtures):
            fixtures[fixture[2]] = Result(result.name, result.outcome, f"{fixture[1]}: {result.reason}")
    return [_of(name, by_name, fixtures) for name in expected]


def _of(name: str, by_name: dict[str, Result], fixtures: dict[str, Result]) -> Result:
    if name in by_name:
        return by_name[name]
    owner = name.split("[")[0].rpartition(".")[0]
    if owner in fixtures and fixtures[owner].outcome != "passed":
        return Result(name, fixtures[owner].outcome, fixtures[owner].reason)
    return Result(name, "failed", "the suite told no result")


def last_line(suite: str, results: list[Result]) -> str:
    count = Counter(result.outcome for result in results)
    figures = f"passed {count['passed']}, failed {count['failed']}, skipped {count['skipped']} of {len(results)}"
    return f"{suite}: {figures}"


def groups(results: list[Result]) -> str:
    """The figures of each group of tests as a Markdown table: by service (``tempest.api.volume``), else by kind."""
    counts: dict[str, Counter[str]] = {}
    for result in results:
        parts = result.name.split(".")
        group = ".".join(parts[: 3 if parts[1:2] == ["api"] else 2])
        counts.setdefault(group, Counter())[result.outcome] += 1
    lines = ["| Group | Passed | Failed | Skipped | Of |", "|---|---|---|---|---|"]
    for group, count in sorted(counts.items()):
        figures = (count["passed"], count["failed"], count["skipped"], count.total())
        lines.append(f"| `{group}` | " + " | ".join(map(str, figures)) + " |")
    return "\n".join(lines)


def markdown(suite: str, results: list[Result], seconds: float) -> str:
    """The report: the figures, also by group, then every failure and every skip with its reason."""
    lines = [f"# {suite}", "", last_line(suite, results), "", f"{seconds / 60:.1f} minutes", "", groups(results), ""]
    for outcome in ("failed", "skipped"):
        chosen = [result for result in results if result.outcome == outcome]
        if chosen:
            lines += [f"## {outcome.capitalize()}", "", "| Test | Why |", "|---|---|"]
            lines += [f"| {result.name} | {result.reason.replace('|', '/')} |" for result in chosen] + [""]
    slowest = sorted(results, key=lambda result: -result.seconds)[:10]
    lines += ["## Slowest", "", "| Test | Seconds |", "|---|---|"]
    lines += [f"| {result.name} | {result.seconds:.1f} |" for result in slowest]
    return "\n".join(lines) + "\n"


def known(text: str) -> dict[str, str]:
    """The cause by entry of a list: the lines with ``#`` that stand right above entries are their cause."""
    causes: dict[str, str] = {}
    cause: list[str] = []
    fresh = True
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            cause = [*([] if fresh else cause), stripped.lstrip("# ")]
            fresh = False
        else:
            fresh = True
            if stripped:
                causes[stripped] = " ".join(cause)
    return causes
