"""The process of :mod:`apart`: reads one question, writes one answer. A script; it imports nothing of this project.

Arguments: what is asked (``yaql`` or ``match``), and the number of the user to become, or nothing.
"""

from __future__ import annotations

import codecs
import collections.abc  # yaql relies on somebody having done so.
import json
import math
import os
import re
import resource
import sys
from typing import Any

CPU_SECONDS = 1
MEMORY = 512 * 1024 * 1024
LARGEST = 4 * 1024 * 1024
"""Bytes of an answer."""
LARGEST_NUMBER = 2**63 - 1
ITERATIONS, QUOTA = 200, 10_000
"""Heat's defaults: elements of a collection, bytes of an expression."""


def main(what: str, user: str) -> None:
    # Loaded before the limits hold: that is no fault of the question's.
    answer = load_yaql() if what == "yaql" else match
    limit(user)
    question = json.loads(sys.stdin.buffer.read())
    try:
        shown = json.dumps({"value": plain(answer(question))})
    except MemoryError:
        shown = json.dumps({"error": "it takes too much memory"})
    except RecursionError:
        shown = json.dumps({"error": "it is nested too deep"})
    except Exception as error:
        shown = json.dumps({"error": str(error) or type(error).__name__})
    if len(shown) > LARGEST:
        shown = json.dumps({"error": "it gives too much"})
    sys.stdout.write(shown)


def limit(user: str) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if user:
        os.setgroups([])
        os.setresgid(int(user), int(user), int(user))
        os.setresuid(int(user), int(user), int(user))
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))


def match(question: dict[str, Any]) -> bool:
    try:
        found = re.match(question["pattern"], question["text"])
    except (re.error, OverflowError) as error:
        raise ValueError(f"Invalid pattern: {error}") from None
    return found is not None and found.end() == len(question["text"])


def load_yaql() -> Any:
    import yaql
    from yaql.language.exceptions import YaqlException

    # For its texts: nothing can be loaded once the process is another user's.
    codecs.lookup("unicode-escape")
    engine = yaql.YaqlFactory().create({"yaql.limitIterators": ITERATIONS, "yaql.memoryQuota": QUOTA})
    context = yaql.create_context()

    def run(question: dict[str, Any]) -> Any:
        try:
            statement = engine(question["expression"])
        except YaqlException as error:
            raise ValueError(f"Bad expression {error}.") from None
        return statement.evaluate({"data": question["data"]}, context.create_child_context())

    return run


def plain(value: Any) -> Any:
    """As JSON has it: sets are lists, times are text."""
    if isinstance(value, collections.abc.Mapping):
        return {key if isinstance(key, str) else json.dumps(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=json.dumps)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if abs(value) > LARGEST_NUMBER if isinstance(value, int) else isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it gives a number that is too large")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)


if __name__ == "__main__":
    main(*sys.argv[1:3])
