"""Messages of several parts, as cloud-init takes them for user data (RFC 2046).

What a tenant wrote is cut and put together as text: the library's parser reads a header again for each semicolon in
it, and its generator folds each anew. A part's headers are short here, and with what is inside it stay as they are.
"""

from __future__ import annotations

import base64
import hashlib
import re
import textwrap
from collections.abc import Iterator
from itertools import islice

from tane.web import multipart
from tane.web.errors import BadRequest

MOST_BYTES = 256 << 10
"""Of all parts of a message; user data has 64 KiB."""
MOST_PARTS = 64
MOST_HEAD = 1024
"""Characters of the headers of one part."""
_KIND = re.compile(r"^content-type:[ \t]*(multipart/[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE)
_HEADER = re.compile(r"[A-Za-z0-9-]{1,80}:")
_END_OF_HEAD = re.compile(r"\r?\n\r?\n")
_SUBTYPE = re.compile(r"[A-Za-z0-9.+_-]{1,127}\Z")


def text_part(content: str, subtype: str, filename: str) -> str:
    """A text with its headers. :raises BadRequest: a name that is no word, or no line of text."""
    if not _SUBTYPE.match(subtype):
        raise BadRequest("parts: a subtype has letters, digits, and the characters . + _ - alone.")
    if not filename.isprintable() or len(filename) > 255 or '"' in filename or "\\" in filename:
        raise BadRequest("parts: a filename has at most 255 printable characters, without quotes and backslashes.")
    charset, coding = ("us-ascii", "7bit") if content.isascii() else ("utf-8", "base64")
    head = [
        f'Content-Type: text/{subtype}; charset="{charset}"',
        "MIME-Version: 1.0",
        f"Content-Transfer-Encoding: {coding}",
    ]
    if filename:
        head.append(f'Content-Disposition: attachment; filename="{filename}"')
    body = content if charset == "us-ascii" else _lines(base64.b64encode(content.encode()).decode())
    return "\n".join([*head, "", body])


def _lines(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 76))


def is_multipart(content: str) -> bool:
    """Whether it is a message of several parts."""
    if not _HEADER.match(content):
        return False
    end = _END_OF_HEAD.search(content, 0, MOST_HEAD + 4)
    return _KIND.search(content, 0, MOST_HEAD if end is None else end.start()) is not None


def parts_of(content: str) -> Iterator[str]:
    """The parts of a message with their headers, or itself when it has none. :raises BadRequest: headers are too
    long."""
    head = _head(content)
    found = _KIND.search(head)
    boundary = multipart.boundary(" ".join(found[1].split())) if found else None
    if boundary is None:
        yield content
        return
    body = content[len(head) :].replace("\r\n", "\n")
    # A line may begin like the boundary and be another's.
    line = re.compile(rf"^--{re.escape(boundary)}(--)?[ \t]*$", re.MULTILINE)
    begin = None
    for mark in islice(line.finditer(body), MOST_PARTS + 2):
        if begin is not None:
            text = body[begin : mark.start() - 1]
            _head(text)
            yield text
        if mark[1]:
            return
        begin = mark.end() + 1
    if begin is not None:
        _head(body[begin:])
        yield body[begin:]


def _head(text: str) -> str:
    end = _END_OF_HEAD.search(text, 0, MOST_HEAD + 4)
    if end is None and len(text) > MOST_HEAD and not text.startswith("\n"):
        raise BadRequest(f"parts: the headers of a part have at most {MOST_HEAD} characters.")
    return text[: end.start()] if end is not None else text[:MOST_HEAD]


def whole(pieces: list[str]) -> str:
    """The message of these parts. :raises BadRequest: there are too many."""
    if len(pieces) > MOST_PARTS:
        raise BadRequest(f"parts: a message has at most {MOST_PARTS}.")
    mark = "===============" + hashlib.sha256("\0".join(pieces).encode("utf-8", "replace")).hexdigest()[:32]
    head = f'Content-Type: multipart/mixed; boundary="{mark}"\nMIME-Version: 1.0\n\n'
    return head + "".join(f"--{mark}\n{piece}\n" for piece in pieces) + f"--{mark}--\n"
