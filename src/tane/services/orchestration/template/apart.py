"""What may take forever, done in a process of its own: queries in YAQL, and regular expressions that can go astray.

Neither can be interrupted inside this process, and both hold its interpreter while they run. The process has a second
of CPU time, little memory, no rights, and a user of its own where this process may give it one. Since the same question
comes again with every look at a stack, answers are remembered.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from tane.linux import confine
from tane.services.orchestration.template import effort
from tane.services.orchestration.template.values import TemplateError

WORKER = Path(__file__).with_name("worker.py")
SECONDS = 15
"""By the clock, for a machine that is busy; of CPU time it has one (in worker.py)."""
SHORT, MOST = 16_384, 256
"""Characters of an answer that is remembered, and how many are."""
REMEMBERED: OrderedDict[bytes, str] = OrderedDict()
REMEMBERING = threading.Lock()
AT_ONCE = threading.BoundedSemaphore(4)


def query(expression: str, data: Any) -> Any:
    """The result of a YAQL expression over ``data``, with Heat's limits of iterations and memory.

    :raises TemplateError: it is wrong, or it takes too long.
    """
    return json.loads(_asked("yaql", json.dumps({"expression": expression, "data": data})))


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches the whole of a text. :raises TemplateError: it is wrong, or it takes too long."""
    found: bool = json.loads(_asked("match", json.dumps({"pattern": pattern, "text": text})))
    return found


def _asked(what: str, question: str) -> str:
    """The answer as JSON; a short one is remembered."""
    key = hashlib.sha256(f"{what} {question}".encode()).digest()
    with REMEMBERING:
        known = REMEMBERED.get(key)
    if known is None:
        with effort.query():
            known = _found(what, question)
        if len(known) <= SHORT:
            with REMEMBERING:
                REMEMBERED[key] = known
                while len(REMEMBERED) > MOST:
                    REMEMBERED.popitem(last=False)
    return known


def _found(what: str, question: str) -> str:
    user = confine.identity("template-language")
    command = [sys.executable, "-I", str(WORKER), what, "" if user is None else str(user.uid)]
    with AT_ONCE:
        try:
            done = subprocess.run(
                command, input=question.encode(), capture_output=True, timeout=SECONDS, env={"LC_ALL": "C.UTF-8"}
            )
        except subprocess.TimeoutExpired:
            raise TemplateError(_too_long(what)) from None
    if done.returncode == 0:
        answer = json.loads(done.stdout)
        if "error" in answer:
            raise TemplateError(answer["error"])
        return json.dumps(answer["value"])
    if done.returncode > 0:
        raise RuntimeError(f"the process for {what} failed: {done.stderr.decode(errors='replace')[-2000:]}")
    raise TemplateError(_too_long(what))


def _too_long(what: str) -> str:
    if what == "yaql":
        return "The yaql expression takes too long, or gives too much."
    return "The pattern takes too long to be matched."
