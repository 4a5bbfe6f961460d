"""Runs gabbi's files against a server, where gabbi is installed: ``gabbi_side.py FOLDER HOST PORT OUT``.

Before each file the server is asked for a fresh cloud. Writes a JSON list of [file, test, outcome, reason].
"""

from __future__ import annotations

import json
import math
import sys
import types
import unittest
import urllib.request
from pathlib import Path
from typing import Any

import yaml
from gabbi import driver, fixture


class AssertNaN:
    """Equal to what is no number: Gnocchi's files say so of some values."""

    def __eq__(self, other: object) -> bool:
        return other is None or (isinstance(other, float) and math.isnan(other))

    __hash__ = None  # type: ignore[assignment]


yaml.add_constructor("!AssertNAN", lambda loader, node: AssertNaN(), Loader=yaml.Loader)
yaml.add_constructor("!AssertNAN", lambda loader, node: AssertNaN(), Loader=yaml.FullLoader)
yaml.add_constructor("!AssertNAN", lambda loader, node: AssertNaN(), Loader=yaml.UnsafeLoader)


def main() -> None:
    folder, host, port, out = sys.argv[1:5]

    class ConfigFixture(fixture.GabbiFixture):
        def start_fixture(self) -> None:
            urllib.request.urlopen(f"http://{host}:{port}/fresh", data=b"").read()

    fixtures: Any = types.ModuleType("fixtures")
    fixtures.ConfigFixture = ConfigFixture
    found: list[list[str]] = []

    class Result(unittest.TestResult):
        def _keep(self, test: Any, outcome: str, reason: str = "") -> None:
            file = Path(getattr(test, "test_directory", "") or "").name
            name = str(getattr(test, "_testMethodName", test))
            where = type(test).__name__
            found.append([where or file, name, outcome, reason])

        def addSuccess(self, test: Any) -> None:
            self._keep(test, "passed")

        def addFailure(self, test: Any, err: Any) -> None:
            self._keep(test, "failed", str(err[1])[:600])

        def addError(self, test: Any, err: Any) -> None:
            self._keep(test, "failed", f"{err[0].__name__}: {err[1]}"[:600])

        def addSkip(self, test: Any, reason: str) -> None:
            self._keep(test, "skipped", reason)

        def addExpectedFailure(self, test: Any, err: Any) -> None:
            self._keep(test, "passed")

        def addUnexpectedSuccess(self, test: Any) -> None:
            self._keep(test, "passed")

    loader = unittest.TestLoader()
    suite = driver.build_tests(
        folder, loader, host=host, port=int(port), fixture_module=fixtures, safe_yaml=False, test_loader_name="g"
    )
    suite.run(Result())
    Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
