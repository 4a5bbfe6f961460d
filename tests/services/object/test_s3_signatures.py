"""Signatures of S3 by the examples that AWS publishes.

Source: Amazon S3 API Reference, "Signature calculations for the authorization header: transferring payload in a single
chunk", "… in multiple chunks", "… including trailing headers"; "Authenticating requests: using query parameters".
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tane.services.identity.domain.signatures import key_4, sign_2, sign_4
from tane.services.object.domain.s3 import chunks, signature
from tane.services.object.domain.s3.chunks import Pieces, Seal
from tane.services.object.domain.s3.errors import S3Error
from tane.web.context import Context
from tane.web.errors import BadRequest
from tane.web.request import Request

ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SCOPE = "20130524/us-east-1/s3/aws4_request"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
HOST = "examplebucket.s3.amazonaws.com"
DATE = "20130524T000000Z"
NOW = datetime(2013, 5, 24, 0, 5)


def request(
    method: str = "GET",
    path: str = "/test.txt",
    query: str = "",
    now: datetime = NOW,
    address: dict[str, str] | None = None,
    **headers: str,
) -> Request:
    given = {"host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    core: Any = SimpleNamespace(clock=SimpleNamespace(now=lambda: now))
    return Request(
        core=core,
        ctx=Context("req"),
        method=method,
        path=address or {},
        url_path=path,
        query=parse_qsl(query, keep_blank_values=True),
        headers=given,
        version=(0, 0),
        base_url="",
        service_url="",
        raw_path=path,
        raw_query=query,
    )


def signed(names: str, given: str = "0" * 64, scope: str = SCOPE) -> str:
    return f"AWS4-HMAC-SHA256 Credential={ACCESS}/{scope},SignedHeaders={names},Signature={given}"


def expected(one: Request) -> str:
    proof = signature.read(one, "/s3")
    return sign_4(key_4(SECRET, proof.call.scope), proof.call.texts[0])


def test_a_download_of_a_range() -> None:
    names = "host;range;x-amz-content-sha256;x-amz-date"
    one = request(authorization=signed(names), range="bytes=0-9", x_amz_content_sha256=EMPTY, x_amz_date=DATE)
    assert expected(one) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"


def test_an_upload_whose_date_is_in_a_header_of_http() -> None:
    one = request(
        "PUT",
        "/test$file.text",
        authorization=signed("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class"),
        date="Fri, 24 May 2013 00:00:00 GMT",
        x_amz_content_sha256="44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        x_amz_date=DATE,
        x_amz_storage_class="REDUCED_REDUNDANCY",
    )
    assert expected(one) == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        ("prefix=J&max-keys=2", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_a_query(query: str, wanted: str) -> None:
    names = "host;x-amz-content-sha256;x-amz-date"
    one = request("GET", "/", query, authorization=signed(names), x_amz_content_sha256=EMPTY, x_amz_date=DATE)
    assert expected(one) == wanted


def address(given: str = "x", expires: int = 86400, names: str = "host") -> str:
    return (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={ACCESS}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        f"&X-Amz-Date={DATE}&X-Amz-Expires={expires}&X-Amz-SignedHeaders={names}&X-Amz-Signature={given}"
    )


def test_a_signed_address() -> None:
    wanted = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    assert expected(request(query=address())) == wanted


def test_version_2() -> None:
    """The example of "Signing and authenticating REST requests"."""
    one = request(
        path="/photos/puppy.jpg",
        now=datetime(2007, 3, 27, 19, 40),
        authorization=f"AWS {ACCESS}:bWq2s1WEIj+Ydj0vQ697zp+IXMU=",
        date="Tue, 27 Mar 2007 19:36:42 +0000",
    )
    one.subdomain = "johnsmith"
    proof = signature.read(one, "/s3")
    assert sign_2(SECRET, proof.call.texts[0]) == proof.call.signature == "bWq2s1WEIj+Ydj0vQ697zp+IXMU="


REFUSED = {
    "nothing": (request(), "AccessDenied"),
    "a header that says what is done and is not signed": (
        request(
            "PUT",
            authorization=signed("host;x-amz-content-sha256;x-amz-date"),
            x_amz_content_sha256=EMPTY,
            x_amz_date=DATE,
            x_amz_copy_source="/other/key",
        ),
        "AccessDenied",
    ),
    "the same with a signed address": (request("PUT", query=address(), x_amz_copy_source="/other/key"), "AccessDenied"),
    "the host is not signed": (request(query=address(names="range")), "AccessDenied"),
    "a clock that is slow": (
        request(
            now=datetime(2013, 5, 24, 0, 15, 1),
            authorization=signed("host;x-amz-content-sha256;x-amz-date"),
            x_amz_content_sha256=EMPTY,
            x_amz_date=DATE,
        ),
        "RequestTimeTooSkewed",
    ),
    "an address that is over": (request(query=address(expires=299)), "AccessDenied"),
    "an address that is too long": (request(query=address(expires=604801)), "AuthorizationQueryParametersError"),
    "an address of tomorrow": (request(now=datetime(2013, 5, 23), query=address()), "AccessDenied"),
    "an address twice": (request(query=address() + "&X-Amz-Expires=86400"), "AuthorizationQueryParametersError"),
    "both": (request(query=address(), authorization=signed("host")), "InvalidArgument"),
    "another service": (
        request(
            authorization=signed("host;x-amz-content-sha256;x-amz-date", scope="20130524/us-east-1/ec2/aws4_request"),
            x_amz_content_sha256=EMPTY,
            x_amz_date=DATE,
        ),
        "AuthorizationHeaderMalformed",
    ),
    "another day than it says": (
        request(
            authorization=signed("host;x-amz-content-sha256;x-amz-date", scope="20130525/us-east-1/s3/aws4_request"),
            x_amz_content_sha256=EMPTY,
            x_amz_date=DATE,
        ),
        "AuthorizationHeaderMalformed",
    ),
    "no word of the body": (request(authorization=signed("host;x-amz-date"), x_amz_date=DATE), "InvalidRequest"),
    "no date": (request(authorization=f"AWS {ACCESS}:abc"), "AccessDenied"),
    "an address of version 2 that is over": (
        request(query=f"AWSAccessKeyId={ACCESS}&Signature=x&Expires=1369353600"),
        "AccessDenied",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_right_is_refused(why: str) -> None:
    one, code = REFUSED[why]
    with pytest.raises(S3Error) as refused:
        signature.read(one, "/s3")
    assert refused.value.code == code


# ------------------------------------------------------------------------------------------------ bodies in pieces

SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
FIRST = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
SECOND = "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"
LAST = "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"
DATA = b"a" * 66560


class Source:
    """A body, in pieces as a network brings them."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def readinto(self, buffer: memoryview) -> int:
        part, self._data = self._data[: len(buffer)], self._data[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def framed(first: str = FIRST, second: str = SECOND, last: str = LAST, end: bytes = b"\r\n") -> bytes:
    return (
        f"10000;chunk-signature={first}\r\n".encode()
        + DATA[:65536]
        + f"\r\n400;chunk-signature={second}\r\n".encode()
        + DATA[65536:]
        + f"\r\n0;chunk-signature={last}\r\n".encode()
        + end
    )


def read(
    body: bytes, seed: str | None = SEED, *, trailing: bool = False, size: int = 100_000
) -> tuple[bytes, dict[str, str]]:
    async def work() -> tuple[bytes, dict[str, str]]:
        seal = Seal(key_4(SECRET, SCOPE), DATE, SCOPE, seed) if seed else None
        pieces = Pieces(Source(body), seal, len(DATA), trailing=trailing)
        found = b""
        while len(found) < len(DATA):
            buffer = memoryview(bytearray(min(size, len(DATA) - len(found))))
            count = await pieces.readinto(buffer)
            found += buffer[:count]
            if count < len(buffer):
                break
        await pieces.finish()
        return found, pieces.trailers

    return asyncio.run(work())


def test_the_seed_of_a_body_in_pieces() -> None:
    one = request(
        "PUT",
        "/examplebucket/chunkObject.txt",
        authorization=signed(
            "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
            "x-amz-storage-class"
        ),
        host="s3.amazonaws.com",
        content_encoding="aws-chunked",
        content_length="66824",
        x_amz_content_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        x_amz_date=DATE,
        x_amz_decoded_content_length="66560",
        x_amz_storage_class="REDUCED_REDUNDANCY",
    )
    assert expected(one) == SEED


@pytest.mark.parametrize("size", [1000, 65536, 70_000])
def test_signed_pieces(size: int) -> None:
    assert read(framed(), size=size) == (DATA, {})
    assert read(framed(end=b""), size=size) == (DATA, {})


def test_signed_lines_after_the_pieces() -> None:
    body = framed(
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
        b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
    )
    seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    assert read(body, seed, trailing=True) == (DATA, {"x-amz-checksum-crc32c": "sOO8/Q=="})
    with pytest.raises(S3Error, match="signature"):
        read(body.replace(b"sOO8", b"sOO9"), seed, trailing=True)


PLAIN = b"10000\r\n" + DATA[:65536] + b"\r\n400\r\n" + DATA[65536:] + b"\r\n0\r\n"
LIES = {
    "a byte of a signed piece is another": (framed().replace(b"aaaa", b"aaab", 1), SEED, "SignatureDoesNotMatch"),
    "the last piece is not signed so": (framed(last="0" * 64), SEED, "SignatureDoesNotMatch"),
    "pieces change places": (framed(SECOND, FIRST), SEED, "SignatureDoesNotMatch"),
    "pieces are not signed at all": (PLAIN, SEED, "IncompleteBody"),
    "no end": (PLAIN[:-3], None, "IncompleteBody"),
    "something after the end": (PLAIN + b"\r\nmore", None, "IncompleteBody"),
    "more than was said": (PLAIN[:-3] + b"1\r\na\r\n0\r\n\r\n", None, "InvalidChunkSizeError"),
    "a piece that is longer than it says": (b"2000\r\n" + b"a" * 9000, None, "IncompleteBody"),
    "small pieces": (b"1\r\na\r\n" * 20 + b"0\r\n\r\n", None, "InvalidChunkSizeError"),
    "no number": (b"zz\r\n", None, "IncompleteBody"),
    "a number below zero": (b"-5\r\naaaaa\r\n0\r\n\r\n", None, "IncompleteBody"),
    "a huge number": (b"fffffffffffffff\r\n" + DATA, None, "EntityTooLarge"),
    "a line without an end": (b"1" * 5000, None, "IncompleteBody"),
    "lines that nobody announced": (PLAIN + b"x-amz-meta-a:b\r\n\r\n", None, "MalformedTrailerError"),
}


@pytest.mark.parametrize("what", LIES)
def test_pieces_that_lie_are_refused(what: str) -> None:
    body, seed, code = LIES[what]
    with pytest.raises(S3Error) as refused:
        read(body, seed)
    assert refused.value.code == code


@pytest.mark.parametrize("length", [3, 7, 100, 65_543, 65_550, 66_000])
def test_a_body_that_breaks_off_does_not_pass(length: int) -> None:
    with pytest.raises((S3Error, BadRequest)):
        read(PLAIN[:length], None)


def test_there_is_an_end_to_the_lines() -> None:
    with pytest.raises(S3Error):
        read(PLAIN + b"a:b\r\n" * (chunks.MOST_LINES + 1) + b"\r\n", None, trailing=True)
