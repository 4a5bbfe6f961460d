"""Structs that several threads use for the first time at once."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading
import msgspec
from tane.wire import structs

sys.setswitchinterval(1e-6)
document = {f"b{number}": {f"a{number}": ["x"] for number in range(20)} for number in range(10)}
for _ in range(100):
    Inner = msgspec.defstruct("Inner", [(f"a{number}", list[str] | None, None) for number in range(20)])
    Outer = msgspec.defstruct("Outer", [(f"b{number}", Inner | None, None) for number in range(10)])
    structs.prepare()
    start = threading.Barrier(4)
    threads = [threading.Thread(target=lambda: (start.wait(), msgspec.convert(document, Outer))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_may_use_a_struct_for_the_first_time_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr or done.returncode
