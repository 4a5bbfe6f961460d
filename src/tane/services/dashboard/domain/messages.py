"""The portal's words in the user's language: gettext catalogues, read as they are kept (``locale/*.po``).

A message is its English text. :func:`N_` marks one in a table; it is looked up when it is shown.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

LANGUAGES = {"en": "English", "ja": "日本語"}
DEFAULT = "en"
LOCALE = Path(__file__).parent.parent / "locale"


def N_(text: str) -> str:
    """Marks a message."""
    return text


class Words:
    """The messages of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = catalogue(language)

    def __call__(self, text: str, **values: object) -> str:
        """The message in this language, with ``{name}`` replaced by the values."""
        found = self._texts.get(text) or text
        return found.format(**values) if values else found


@cache
def catalogue(language: str) -> dict[str, str]:
    """The messages of a language that are translated."""
    return parse((LOCALE / f"{language}.po").read_text(encoding="utf-8"))


def parse(text: str) -> dict[str, str]:
    """The pairs of a catalogue of gettext's form; without plurals and contexts, which we do not use."""
    found: dict[str, str] = {}
    parts: dict[str, str] = {}
    where = ""
    for line in [*text.splitlines(), ""]:
        if not line.strip() and parts.get("msgid"):
            found[parts["msgid"]] = parts.get("msgstr", "")
        if not line.strip():
            parts, where = {}, ""
        elif not line.startswith("#"):
            word, _, rest = line.partition(" ")
            if word in ("msgid", "msgstr"):
                where = word
                parts[where] = str(ast.literal_eval(rest))
            else:
                parts[where] += str(ast.literal_eval(line))
    return found


def preferred(accepted: str) -> str:
    """The language that ``Accept-Language`` asks for first, of those there are."""
    wanted: list[tuple[float, int, str]] = []
    for place, item in enumerate(accepted[:500].split(",")):
        name, _, quality = item.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        wanted.append((-weight, place, name.split("-")[0].lower()))
    return next((name for _, _, name in sorted(wanted) if name in LANGUAGES), DEFAULT)
