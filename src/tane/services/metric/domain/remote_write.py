"""Prometheus' remote write 1.0 (<https://prometheus.io/docs/specs/prw/remote_write_spec/>): the messages of
protobuf, of which there are four fields, and the frame of Snappy.

Snappy is written as what it calls literals, which every reader takes, without looking for repetitions: that would take
a library, or more of a processor in Python than the bytes are worth between machines of one operator.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
LITERAL = 1 << 16
"""Bytes of a literal at most, of those whose length has two bytes."""
_SERIES, _LABEL, _NAME, _VALUE, _SAMPLES = b"\x0a", b"\x0a", b"\x0a", b"\x12", b"\x12"
_DOUBLE = struct.Struct("<Bd").pack
_DOUBLE_TAG, _MOMENT_TAG = 0x09, b"\x10"


def varint(number: int) -> bytes:
    """A whole number, not below zero, as protobuf and Snappy write it."""
    if number < 128:
        return bytes((number,))
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def _field(tag: bytes, content: bytes) -> bytes:
    return tag + varint(len(content)) + content


def label(name: str, value: str) -> bytes:
    """A label of a series; one that is empty is not sent."""
    if not value:
        return b""
    pair = _field(_NAME, name.encode()) + _field(_VALUE, value.encode(errors="replace"))
    return _field(_LABEL, pair)


def labels(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Labels in the order that the specification wants."""
    return b"".join(label(*pair) for pair in sorted(pairs))


def when(moment: int) -> bytes:
    """The moment of a sample, ``moment`` in milliseconds since 1970."""
    return _MOMENT_TAG + varint(moment)


def series(known: bytes, value: float, moment: bytes) -> bytes:
    """A series with one sample. ``known``: its labels; ``moment``: as :func:`when` writes it."""
    sample = _DOUBLE(_DOUBLE_TAG, value) + moment
    content = known + _SAMPLES + bytes((len(sample),)) + sample
    return _SERIES + varint(len(content)) + content


def parts(written: bytes) -> list[bytes]:
    """Each of the series that are written one behind the other."""
    found, at = [], 0
    while at < len(written):
        begin, size, shift = at, 0, 0
        at += len(_SERIES)
        while written[at] > 127:
            size |= (written[at] & 127) << shift
            at, shift = at + 1, shift + 7
        at += 1 + (size | written[at] << shift)
        found.append(written[begin:at])
    return found


def framed(message: bytes) -> bytes:
    """The body of a request (Snappy's block format)."""
    found = [varint(len(message))]
    for begin in range(0, len(message), LITERAL):
        part = message[begin : begin + LITERAL]
        found += (b"\xf4", (len(part) - 1).to_bytes(2, "little"), part)
    return b"".join(found)
