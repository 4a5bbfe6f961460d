"""Regular expressions of tenants, matched without the risk that one takes the process for itself."""

from __future__ import annotations

import functools
import re

from tane.services.orchestration.template.values import TemplateError


@functools.lru_cache(256)
def compiled(pattern: str) -> re.Pattern[str]:
    """:raises TemplateError: it is no regular expression."""
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise TemplateError(f"Invalid pattern: {error}") from None


def whole(pattern: str, text: str) -> bool:
    """Whether ``pattern`` matches the whole of ``text``."""
    found = compiled(pattern).match(text)
    return found is not None and found.end() == len(text)
