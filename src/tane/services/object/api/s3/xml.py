"""Documents of S3, written and read.

Those that are read come from anybody: no document type, so no entities; few levels, few elements.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from xml.parsers import expat

from tane.services.object.domain.s3.errors import S3Error
from tane.web.markup import CONTROL, DECLARATION, Markup, element, optional, text

__all__ = [
    "CONTROL",
    "DECLARATION",
    "INSTANCE",
    "MOST",
    "NAMESPACE",
    "TYPE",
    "Markup",
    "Node",
    "document",
    "element",
    "optional",
    "parsed",
    "text",
]

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
TYPE = "application/xml"
MOST = 4 << 20
"""Bytes of a document that is read: one of 10,000 parts with their checksums has two millions."""
MOST_DEPTH, MOST_NODES = 8, 50_010


def document(name: str, *content: str | None) -> bytes:
    return (DECLARATION + element(name, *content, attributes=f' xmlns="{NAMESPACE}"')).encode()


@dataclass(slots=True)
class Node:
    """An element without its namespace and attributes."""

    name: str
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def child(self, name: str) -> Node | None:
        return next((one for one in self.children if one.name == name), None)

    def all(self, name: str) -> list[Node]:
        return [one for one in self.children if one.name == name]

    def value(self, name: str, default: str | None = None) -> str:
        """The text of a child. :raises S3Error: it is not there."""
        found = self.child(name)
        if found is None:
            if default is None:
                raise S3Error("MalformedXML")
            return default
        return found.text.strip()


def parsed(data: bytes, root: str) -> Node:
    """:raises S3Error: it is no document, or its root is another element."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.ProcessingInstructionHandler = reader.refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, UnicodeError, LookupError, ValueError):
        raise S3Error("MalformedXML") from None
    if reader.root is None or reader.root.name != root:
        raise S3Error("MalformedXML")
    return reader.root


class _Reader:
    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._texts: list[list[str]] = []
        self._nodes = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._nodes += 1
        if len(self._open) >= MOST_DEPTH or self._nodes > MOST_NODES:
            raise S3Error("MalformedXML")
        node = Node(sys.intern(name.rpartition(":")[2]))
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)
        self._texts.append([])

    def end(self, _name: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def characters(self, part: str) -> None:
        if self._texts:
            self._texts[-1].append(part)

    def refuse(self, *_: object) -> None:
        raise S3Error("MalformedXML")
