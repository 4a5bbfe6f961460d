"""Messages of several parts, as cloud-init takes them for user data (RFC 2046).

What a tenant wrote is cut by hand: the library's parser reads a header again for each semicolon in it, nested as deep
as the writer likes. Here every header is short, and what is inside a part stays as it is.
"""

from __future__ import annotations

import email.mime.multipart
import email.mime.text
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser

from tane.web import multipart
from tane.web.errors import BadRequest

MOST_BYTES = 256 << 10
"""Of all parts of a message; user data has 64 KiB."""
MOST_HEAD = 1024
"""Characters of the headers of one part."""
_KIND = re.compile(r"^content-type:[ \t]*(multipart/[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE)
_END_OF_HEAD = re.compile(r"\r?\n\r?\n")


def text_part(content: str, subtype: str, filename: str) -> Message:
    """:raises BadRequest: a name that is no line of text."""
    for name, value in (("subtype", subtype), ("filename", filename)):
        if not value.isprintable() or len(value) > 255:
            raise BadRequest(f"parts: a {name} has at most 255 printable characters.")
    piece = email.mime.text.MIMEText(content, subtype, "us-ascii" if content.isascii() else "utf-8")
    if filename:
        piece.add_header("Content-Disposition", "attachment", filename=filename)
    return piece


def parts_of(content: str) -> Iterator[Message]:
    """The parts of a message, or itself when it has none. :raises BadRequest: headers that are too long."""
    head = _head(content)
    found = _KIND.search(head)
    boundary = multipart.boundary(" ".join(found[1].split())) if found else None
    if boundary is None:
        yield HeaderParser().parsestr(content)
        return
    marked = "\n" + content[len(head) :].replace("\r\n", "\n")
    _, *pieces = marked.split(f"\n--{boundary}")
    for piece in pieces:
        if piece.startswith("--"):
            return
        text = piece.partition("\n")[2]
        _head(text)
        yield HeaderParser().parsestr(text)


def _head(text: str) -> str:
    end = _END_OF_HEAD.search(text, 0, MOST_HEAD + 4)
    if end is None and len(text) > MOST_HEAD and not text.startswith("\n"):
        raise BadRequest(f"parts: the headers of a part have at most {MOST_HEAD} characters.")
    return text[: end.start()] if end is not None else text[:MOST_HEAD]


def whole(pieces: list[Message]) -> str:
    """The message of these parts."""
    made = email.mime.multipart.MIMEMultipart()
    for piece in pieces:
        made.attach(piece)
    return made.as_string()
