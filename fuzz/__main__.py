"""``fuzz/run --requests R [--seed S]``: throw requests at every route of a cloud in process.

Prints each distinct defect once and a last line ``fuzz: R requests, E server errors, X leaks``; exit status 1 when
there is any. The same seed makes the same choices (ids, which the cloud makes, differ).
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from fuzz.hunt import Hunt
from tests.databases import Databases, PostgreSQLDatabases, SQLiteDatabases


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz/run", description=__doc__)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only routes whose line contains this text")
    parser.add_argument("--database", default="", help="a PostgreSQL server on which to make databases; else SQLite")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tane-fuzz-")))
        template = folder / "template"
        template.mkdir()
        databases: Databases
        if given.database:
            databases = PostgreSQLDatabases(given.database, template)
            stack.callback(databases.close)
        else:
            databases = SQLiteDatabases(template)
        hunt = Hunt(databases, folder, random.Random(given.seed), given.only)
        hunt.run(given.requests)
    for defect, (times, example) in hunt.defects.items():
        print(f"{times}x {defect}\n    {example}")
    answers = ", ".join(f"{times}x {status}" for status, times in sorted(hunt.statuses.items()))
    print(f"answers: {answers}")
    print(f"chains of two tenants: {hunt.chained} steps")
    print(f"fuzz: {hunt.sent} requests, {hunt.errors} server errors, {hunt.leaks} leaks")
    return 1 if hunt.errors or hunt.leaks else 0


if __name__ == "__main__":
    sys.exit(main())
