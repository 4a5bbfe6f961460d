"""What was probably meant by a name that there is not."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable

LONGEST = 64
"""Characters of a name that is compared: the time grows with the square of them, and nobody can stop it."""
MOST = 1000
"""Names that it is compared with."""


def nearest(word: str, known: Iterable[str], least: float = 0.6) -> str | None:
    """The name that is most like ``word``, or None where none is alike by ``least`` (0 to 1). What is longer than
    :data:`LONGEST` is like nothing."""
    if len(word) > LONGEST:
        return None
    names = itertools.islice((one for one in known if len(one) <= LONGEST), MOST)
    return next(iter(difflib.get_close_matches(word, list(names), 1, least)), None)


def hint(word: object, known: Iterable[str]) -> str:
    """The end of a sentence that tells what was probably meant; nothing where nobody knows."""
    meant = nearest(word, known) if isinstance(word, str) else None
    return f" (did you mean {meant}?)" if meant else ""
