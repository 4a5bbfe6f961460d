"""Watches what tests start: a program that no list names would be missing on a fresh machine."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from tane.linux import programs

BUILT_IN = {
    ":",
    "trap",
    "exec",
    "echo",
    "cd",
    "exit",
    "while",
    "do",
    "done",
    "if",
    "then",
    "fi",
    "wait",
    "kill",
    "read",
}
"""What a shell does itself."""
KNOWN = {*programs.CLOUD, *programs.DEBIAN_IMAGE, *programs.TESTS, *programs.NIGHTLY, *programs.EVERYWHERE, "postgres"}


PROJECT = Path(__file__).parents[1]
STANDARD_LIBRARY = str(Path(os.__file__).parent)


class UnknownProgram(AssertionError):
    """A test started a program that a fresh machine need not have."""


def refuse_unknown_programs(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook (PEP 578). :raises UnknownProgram: no list of :mod:`tane.linux.programs` names the program."""
    if event != "subprocess.Popen" or not asked_by_this_project():
        return
    _, argv, _, _ = arguments
    for program in started([argv] if isinstance(argv, str | bytes) else argv):
        name = Path(program).name
        if name not in KNOWN and not ours(program):
            raise UnknownProgram(f"{name} stands in no list of tane.linux.programs, so nobody installs it: {argv}")


def asked_by_this_project() -> bool:
    """Whether it is code of this project that starts the program, by the standard library's means or directly; what
    other libraries run for themselves, they look for themselves."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and not is_installed(frame) and frame.f_code.co_filename.startswith(STANDARD_LIBRARY):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith(f"{PROJECT}/") and not is_installed(frame)


def is_installed(frame: FrameType) -> bool:
    return "site-packages" in frame.f_code.co_filename


def ours(program: str) -> bool:
    """Whether a program comes with this project or its Python environment, or was fetched or made on the way."""
    path = Path(program)
    interpreter = path.resolve() == Path(sys.executable).resolve()
    return path.is_absolute() and (interpreter or str(path.parent) not in programs.SYSTEM_PATH.split(":"))


def started(argv: Sequence[Any]) -> Iterator[str]:
    """The programs of a command: the first word, and what that one goes on to run."""
    words = [os.fsdecode(word) for word in argv]
    if not words:
        return
    yield words[0]
    match Path(words[0]).name, words[1:]:
        case "ip", ["netns", "exec", _, *rest]:
            yield from started(rest)
        case "sh", ["-c", text, *rest]:
            yield from in_shell(text)
            yield from started([word for word in rest[3:] if rest and rest[0] == "sh"])
        case (("nsenter" | "setpriv" | "unshare" | "prlimit" | "env"), [*options]):
            yield from started(behind_options(options))


def behind_options(words: list[str]) -> list[str]:
    """The command behind a wrapper's options, which end at ``--`` or at the first word that is a program."""
    if "--" in words:
        return words[words.index("--") + 1 :]
    at = next((i for i, word in enumerate(words) if "=" not in word and programs.find(word)), len(words))
    return words[at:]


def in_shell(text: str) -> Iterator[str]:
    """The programs of a line of pipes and lists; of a script of several lines nothing is told."""
    if "\n" in text:
        return
    words = list(shlex.shlex(text, posix=True, punctuation_chars=True))
    for before, word in zip([";", *words], words, strict=False):
        if before in (";", "|", "&", "&&", "||") and word not in BUILT_IN:
            yield word
