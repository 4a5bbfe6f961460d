"""Checksums of S3 by the check values of their specifications."""

from __future__ import annotations

import random
import zlib
from base64 import b64encode

import pytest

from tane.services.object.domain.s3.checksums import of_parts
from tane.services.object.domain.s3.crc import CRC32, CRC32C, CRC64NVME, Crc

BYTES = random.Random(7).randbytes(150_000)


def by_table(kind: Crc, data: bytes) -> int:
    ones = (1 << kind.width) - 1
    register = ones
    for byte in data:
        register = register >> 8 ^ kind.table[(register ^ byte) & 255]
    return register ^ ones


def test_check_values() -> None:
    assert CRC32C.update(b"123456789") == 0xE3069283
    assert CRC64NVME.update(b"123456789") == 0xAE8B14860A799888


@pytest.mark.parametrize("kind", [CRC32C, CRC64NVME], ids=["CRC32C", "CRC64NVME"])
@pytest.mark.parametrize("size", [0, 1, 3000, 4097, 16_000, 65_536, 150_000])
def test_whole_buffers_come_to_the_same_as_single_bytes(kind: Crc, size: int) -> None:
    wanted = by_table(kind, BYTES[:size])
    assert kind.update(BYTES[:size]) == wanted
    assert kind.update(memoryview(BYTES)[size // 3 : size], kind.update(BYTES[: size // 3])) == wanted


@pytest.mark.parametrize("kind", [CRC32C, CRC64NVME], ids=["CRC32C", "CRC64NVME"])
def test_the_powers_that_are_folded_are_what_they_are_said_to_be(kind: Crc) -> None:
    def power(exponent: int) -> int:
        return kind._times(1 << (kind.width - 1), exponent)

    total = 0
    for exponent in kind.equals:
        total ^= power(exponent)
    assert power(kind.power) == total


def test_parts_make_a_whole() -> None:
    pieces = [BYTES[:1000], BYTES[1000:1001], BYTES[1001:]]
    sums = [(b64encode(zlib.crc32(piece).to_bytes(4, "big")).decode(), len(piece)) for piece in pieces]
    assert of_parts("CRC32", sums, whole=True) == b64encode(zlib.crc32(BYTES).to_bytes(4, "big")).decode()
    assert of_parts("CRC32", sums, whole=False).endswith("=-3")
    assert CRC32.combine(zlib.crc32(b"a"), zlib.crc32(b""), 0) == zlib.crc32(b"a")
