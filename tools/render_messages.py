"""Bring the portal's catalogues up to date: ``python tools/render_messages.py``.

Messages are what ``N_`` and the words of a visit are called with in Python, and ``_`` in templates. New ones come in
untranslated, unused ones go. English is its own translation. A test fails while one is missing, unused or not
translated.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from tane.services.dashboard.domain.messages import DEFAULT, LANGUAGES, LOCALE, parse

HOME = LOCALE.parent
IN_TEMPLATE = re.compile(r"""\b_\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
HEAD = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\nLanguage: {language}\\n"\n'


def in_python(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0]
        if called in ("N_", "words") and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def in_template(file: Path) -> Iterator[str]:
    text = re.sub(r"{#.*?#}", "", file.read_text(), flags=re.S)
    yield from (str(ast.literal_eval(found)) for found in IN_TEMPLATE.findall(text))


def messages() -> list[str]:
    """All messages of the portal, sorted."""
    found = {text for file in HOME.rglob("*.py") for text in in_python(file)}
    found |= {text for file in (HOME / "templates").glob("*.html") for text in in_template(file)}
    return sorted(found - {""})


def render(language: str, known: dict[str, str]) -> str:
    parts = [HEAD.format(language=language)]
    for text in messages():
        told = text if language == DEFAULT and not known.get(text) else known.get(text, "")
        parts.append(f"msgid {json.dumps(text, ensure_ascii=False)}\nmsgstr {json.dumps(told, ensure_ascii=False)}\n")
    return "\n".join(parts)


def main() -> None:
    for language in LANGUAGES:
        file = LOCALE / f"{language}.po"
        file.write_text(render(language, parse(file.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
