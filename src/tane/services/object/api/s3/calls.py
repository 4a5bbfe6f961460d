"""A call of S3: who sent it, what it is about, and how its body is read."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tane.services.identity import interface as identity
from tane.services.identity.interface import SignedCall
from tane.services.object.api import headers as swift
from tane.services.object.api.s3 import pages, xml
from tane.services.object.domain import access, blobs, heavy
from tane.services.object.domain.blobs import BrokenOff, Content, TooMuch
from tane.services.object.domain.s3 import buckets, checksums, chunks, signature
from tane.services.object.domain.s3.checksums import Summed
from tane.services.object.domain.s3.errors import TERMINATED, S3Error, known
from tane.services.object.domain.s3.signature import Proof
from tane.services.object.domain.s3.uploads import MOST_PARTS
from tane.web.access import permits
from tane.web.context import Context
from tane.web.errors import ApiError, BadRequest, NotFound, Unauthorized
from tane.web.request import BodyStream, Request, Response
from tane.web.routes import Told

T = TypeVar("T")
PREFIX = "/s3"
TYPES = ("s3",)
"""As access rules name it."""
MOST_OBJECT = 5 << 30
"""Bytes of what is put, or of a part, at once."""
MOST_KEY = 1024
NOT_OFFERED = (
    *("accelerate", "analytics", "attributes", "encryption", "intelligent-tiering", "inventory", "legal-hold"),
    *("lifecycle", "logging", "metrics", "notification", "object-lock", "ownershipControls", "policy"),
    *("policyStatus", "publicAccessBlock", "replication", "requestPayment", "restore", "retention", "select"),
    *("torrent", "website", "session", "metadataTable", "metadataConfiguration", "renameObject", "append"),
)
"""Sub-resources that are not done."""
REFUSED = (
    "x-amz-server-side-encryption",
    "x-amz-website-redirect-location",
    "x-amz-grant-",
    "x-amz-write-offset-bytes",
    "x-amz-copy-source-server-side-encryption",
)
"""How headers begin of what is not done."""
ACCOUNT = re.compile(r"AUTH_([0-9A-Za-z-]{1,64})\Z")
"""The first part of the path of who calls the bucket of another project, or has no name: no bucket is called so."""
LONG = 64 << 10
"""Bytes of a document that takes long to read."""


@dataclass
class Call:
    """``key``: of the signatures of a body in pieces."""

    request: Request
    proof: Proof
    key: bytes
    account: str
    bucket: str
    name: str

    @property
    def headers(self) -> Mapping[str, str]:
        return self.request.headers

    @property
    def place(self) -> tuple[str, str]:
        return self.account, self.bucket

    @property
    def at(self) -> tuple[str, str, str]:
        return self.account, self.bucket, self.name

    def param(self, name: str) -> str | None:
        return self.request.param(name)

    def inner(self, headers: Mapping[str, str] | None = None, query: Sequence[tuple[str, str]] = ()) -> Request:
        """The same caller's request, with nothing in it but what is given here: no header or parameter of this one can
        mean something to Swift's side."""
        return replace(
            self.request, headers=dict(headers or {}), query=list(query), raw_query="", authenticate=None, _first={}
        )

    @property
    def project(self) -> str:
        """Whose the bucket is."""
        return access.project_of(self.account)

    def owner(self) -> xml.Markup:
        ctx, project = self.request.ctx, self.project
        name = ctx.project_name if ctx.project_id == project and ctx.project_name else project
        return xml.element("Owner", xml.element("ID", project), xml.element("DisplayName", name))


Operation = Callable[[Call], Awaitable[Response]]
Table = Mapping[str, Operation]
"""Operations by the parameter that chooses them; "" for none of these."""


async def answered(request: Request, table: Table, *above: Table) -> Response:
    """Let the caller in and do what is asked. ``above``: of buckets, where ``table`` is of objects, and at last of the
    list of buckets. :raises S3Error:"""
    owner = placed(request)
    if owner and not request.path["bucket"]:
        request.path.pop("key", None)
        request.path.pop("bucket")
        table = above[-1]
    elif owner and request.path.get("key") == "":
        request.path.pop("key")
        table = above[0]
    try:
        call = await _admitted(request, owner)
        _check_place(call)
        answer = await _chosen(request, table)(call)
        if "origin" in request.headers and call.bucket and "Access-Control-Allow-Origin" not in answer.headers:
            meta = await request.core.in_thread(buckets.meta_of, request, call.place)
            answer.headers = {**answer.headers, **pages.shown_to(request, meta, request.method, [])}
        return answer
    except ApiError as error:
        if error.status != 404:
            raise
        raise await request.core.in_thread(_not_found, request, error) from None


def is_bucket(request: Request) -> bool:
    """Whether the path names a project, and a bucket of it, where others name a bucket and a key."""
    rest = request.path.get("key", "").partition("/")[2]
    return not rest and ACCOUNT.match(request.path.get("bucket", "")) is not None


def placed(request: Request) -> str:
    """The project that the path names before the bucket, which is taken out of it; "" for the caller's own."""
    found = ACCOUNT.match(request.path.get("bucket", ""))
    if found is None:
        return ""
    bucket, _, key = request.path.get("key", "").partition("/")
    request.path["bucket"] = bucket
    if "key" in request.path:
        request.path["key"] = key
    request.path["project"] = found[1]
    return found[1]


def _not_found(request: Request, error: ApiError) -> ApiError:
    """Whether it was the bucket that is not there, or the key."""
    if isinstance(error, S3Error):
        return error
    project = request.path.get("project") or request.ctx.project_id
    place = (f"{access.RESELLER_PREFIX}{project}", request.path.get("bucket", ""))
    if not request.path.get("key") or not buckets.is_there(request, place):
        return S3Error("NoSuchBucket", details={"BucketName": place[1]})
    found = known(error)
    found.details = {"Key": request.path["key"]}  # type: ignore[attr-defined]  # It is an S3Error.
    return found


async def _admitted(request: Request, owner: str) -> Call:
    bucket, name = request.path.get("bucket", ""), request.path.get("key", "")
    if owner and request.method in ("GET", "HEAD") and not signature.is_signed(request):
        # A stranger, who sees what is open to all.
        nobody = Proof(SignedCall("", "", (b"",), ""))
        return Call(request, nobody, b"", f"{access.RESELLER_PREFIX}{owner}", bucket, name)
    proof = signature.read(request, PREFIX)
    core = request.core
    remembered = None
    if core.db.glances_are_cheap:
        remembered = identity.signed_by_known(core, proof.call, request.ctx.request_id)
    if remembered is None:
        remembered = await core.in_thread(identified, request, proof)
    ctx, key = remembered
    account = admitted(request, ctx, owner)
    return Call(request, proof, key, account, bucket, name)


def admitted(request: Request, ctx: Context, owner: str = "") -> str:
    """Let who was found to have signed in; returns the account that is meant: ``owner``'s, or the own one.

    :raises S3Error:
    """
    rules = ctx.access_rules
    if not ctx.project_id or (rules is not None and not permits(rules, TYPES, request.method, request.url_path)):
        raise S3Error("AccessDenied")
    request.ctx = ctx
    request.count_for(ctx.project_id)
    request.admitted()
    expected = request.headers.get("x-amz-expected-bucket-owner")
    if expected is not None and expected != (owner or ctx.project_id):
        raise S3Error("AccessDenied")
    return f"{access.RESELLER_PREFIX}{owner or ctx.project_id}"


def identified(request: Request, proof: Proof) -> tuple[Context, bytes]:
    """:raises S3Error: nobody, or somebody else."""
    try:
        return identity.signed_by(request.core, proof.call, request.ctx.request_id)
    except NotFound:
        raise S3Error("InvalidAccessKeyId", details={"AWSAccessKeyId": proof.call.access[:128]}) from None
    except Unauthorized:
        given = proof.call
        text = given.texts[0].decode("latin-1")
        raise signature.mismatch(text, given.signature, proof.signer) from None


def _check_place(call: Call) -> None:
    if "bucket" in call.request.path:
        buckets.check_name(call.bucket, new=call.request.method == "PUT" and not call.name and not call.request.query)
    if len(call.name.encode()) > MOST_KEY:
        raise S3Error("KeyTooLongError")


def _chosen(request: Request, table: Table) -> Operation:
    """:raises S3Error: it is not done."""
    for name in request.headers:
        if name.startswith(REFUSED):
            raise S3Error(
                "NotImplemented",
                f"A header you provided implies functionality that is not implemented: {name}",
                details={"Header": name},
            )
    asked = {name for name, _ in request.query}
    for name in NOT_OFFERED:
        if name in asked and name not in table:
            told = {"ResourceType": name.upper()}
            raise S3Error("NotImplemented", "The requested resource is not implemented", details=told)
    for name, operation in table.items():
        if name and name in asked:
            return operation
    if "" not in table:
        raise S3Error("MethodNotAllowed")
    return table[""]


def whole(text: str | None, name: str, default: int, most: int, least: int = 0) -> int:
    """A number that is said of a call, at most ``most``. :raises S3Error:"""
    if text is None or text == "":
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) < least or int(text) > 2**31 - 1:
        raise S3Error(
            "InvalidArgument",
            f"Provided {name} not an integer or within integer range",
            details={"ArgumentName": name, "ArgumentValue": text[:100]},
        )
    return min(int(text), most)


def error_document(error: ApiError, told: Told) -> tuple[bytes, str]:
    """Source: Amazon S3 API Reference, "REST error responses"."""
    code = error.code if isinstance(error, S3Error) else "InternalError" if error.status >= 500 else "InvalidRequest"
    details = error.details if isinstance(error, S3Error) else {}
    parts = [xml.element("Code", code), xml.element("Message", error.message)]
    parts += [xml.element(name, value) for name, value in details.items()]
    parts.append(xml.element("RequestId", told.request_id))
    return (xml.DECLARATION + xml.element("Error", *parts)).encode(), xml.TYPE


def number(call: Call, name: str, default: int, most: int, least: int = 0) -> int:
    """A number of the query, at most ``most``. :raises S3Error:"""
    return whole(call.param(name), name, default, most, least)


def part_number(text: str) -> int:
    """:raises S3Error: it is none."""
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or not 1 <= int(text) <= MOST_PARTS:
        raise S3Error(
            "InvalidArgument",
            f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive",
            details={"ArgumentName": "partNumber", "ArgumentValue": text[:100]},
        )
    return int(text)


# -------------------------------------------------------------------------------------------------------- bodies


class Body:
    """The body of a call: plain or in pieces, with what is said of its bytes.

    ``algorithm``: a checksum that is wanted whether the client says one or not. ``about_it``: checksums of the headers
    are the body's own.
    """

    def __init__(self, call: Call, most: int, algorithm: str = "", *, about_it: bool = True) -> None:
        self._call, self._most = call, most
        headers, payload = call.headers, call.proof.payload
        signed, trailing = signature.STREAMS.get(payload, (False, False)) if call.proof.streams else (False, False)
        self._in_pieces = call.proof.streams and payload in signature.STREAMS
        self._told = checksums.given(headers) if about_it else None
        self._trailer = checksums.trailer(headers.get("x-amz-trailer", ""), self._told)
        if self._trailer and not trailing:
            raise S3Error("MalformedTrailerError")
        said = headers.get("x-amz-sdk-checksum-algorithm") if about_it else None
        self.algorithm = self._trailer or (self._told[0] if self._told else "")
        if said and checksums.algorithm_of(said) != self.algorithm:
            raise S3Error(
                "InvalidRequest",
                "Value for x-amz-sdk-checksum-algorithm header is invalid."
                if self.algorithm
                else "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
                "headers were found.",
            )
        self.algorithm = self.algorithm or algorithm
        self._md5 = checksums.decoded(headers["content-md5"], 16).hex() if "content-md5" in headers else ""
        self.length = self._length()
        stream = call.request.stream
        assert stream is not None
        self._pieces: chunks.Pieces | None = None
        if self._in_pieces:
            proof = call.proof
            begun = (proof.moment, proof.call.scope, proof.call.signature)
            seal = chunks.Seal(call.key, *begun, proof.signer) if signed else None
            stream = self._pieces = chunks.Pieces(stream, seal, self.length or 0, trailing=trailing)
        self._stream: BodyStream = stream
        self.checksum = ""

    def _length(self) -> int | None:
        """Of the bytes themselves. :raises S3Error:"""
        headers = self._call.headers
        found = swift.length(self._call.request) if not self._in_pieces else None
        if self._call.proof.payload in signature.STREAMS:
            text = headers.get("x-amz-decoded-content-length", "")
            if not (text.isascii() and text.isdigit()) or len(text) > 15:
                raise S3Error("MissingContentLength")
            if found is not None and found != int(text):
                # By signatures of the other kinds no body comes in pieces: all of it is the object.
                told = {"NumberBytesExpected": str(int(text)), "NumberBytesProvided": str(found)}
                raise S3Error("IncompleteBody", details=told)
            found = int(text) if self._in_pieces else found
        if found is not None and found > self._most:
            raise S3Error("EntityTooLarge", details={"ProposedSize": str(found), "MaxSizeAllowed": str(self._most)})
        return found

    @property
    def is_told(self) -> bool:
        """Whether the client says something by which the bytes can be checked."""
        return bool(self._told or self._trailer or self._md5)

    async def receive(self) -> Content:
        """All of it, checked. :raises S3Error: it is not what was said; nothing of it is kept."""
        core = self._call.request.core
        # The content has a CRC-32 of its own.
        summed = Summed(self._stream, self._sha256(), "" if self.algorithm == "CRC32" else self.algorithm)
        try:
            received = await blobs.receive(core, summed, self.length, self._most, *self._call.at[:2])
        except TooMuch:
            raise S3Error("EntityTooLarge") from None
        except BrokenOff:
            raise S3Error("IncompleteBody", TERMINATED if self._in_pieces else "") from None
        try:
            await self._finish()
            own = checksums.text(received.crc.to_bytes(4, "big")) if self.algorithm == "CRC32" else summed.checksum
            self._check(summed, received.md5, own)
        except BaseException:
            await core.in_thread(received.abandon)
            raise
        self.checksum = own
        return received

    async def whole(self) -> bytes:
        """All of it, in memory, checked. :raises S3Error:"""
        request = self._call.request
        if self.length is None or self.length > request.core.config.limits.anonymous_body:
            request.grow()
        summed = Summed(self._stream, self._sha256(), self.algorithm)
        buffer = bytearray((self._most if self.length is None else self.length) + 1)
        try:
            size = await summed.readinto(memoryview(buffer))
        except BadRequest:
            raise S3Error("IncompleteBody") from None
        if size > self._most:
            raise S3Error("EntityTooLarge")
        if self.length is not None and size != self.length:
            raise S3Error("IncompleteBody")
        await self._finish()
        data = bytes(memoryview(buffer)[:size])
        self._check(summed, blobs.small(data).md5, summed.checksum, document=True)
        return data

    def _sha256(self) -> str:
        return "" if self._in_pieces or self._call.proof.payload == signature.UNSIGNED else self._call.proof.payload

    async def _finish(self) -> None:
        if self._pieces is None:
            return
        try:
            await self._pieces.finish()
        except BadRequest:
            raise S3Error("IncompleteBody") from None

    def _check(self, summed: Summed, md5: str, own: str, *, document: bool = False) -> None:
        wanted = self._told[1] if self._told is not None else ""
        if self._trailer:
            assert self._pieces is not None
            if set(self._pieces.trailers) - {f"{checksums.PREFIX}{self._trailer.lower()}"}:
                raise S3Error("MalformedTrailerError")
            wanted = self._pieces.trailers.get(f"{checksums.PREFIX}{self._trailer.lower()}", "")
            if not wanted:
                raise S3Error("MalformedTrailerError")
            checksums.check_value(self._trailer, wanted, "trailing header")
        summed.check()
        if wanted and wanted != own:
            raise S3Error("BadDigest", f"The {self.algorithm} you specified did not match the calculated checksum.")
        if self._md5 and self._md5 != md5:
            calculated = checksums.text(bytes.fromhex(md5))
            # As the real service: of objects it is told in hexadecimal.
            wanted_md5 = self._call.headers["content-md5"].strip() if document else self._md5
            told = {"ExpectedDigest": wanted_md5, "CalculatedDigest": calculated}
            raise S3Error("BadDigest", details=told)


async def document(
    call: Call, root: str, made: Callable[[xml.Node], T], *, about_it: bool = True, checked: bool = False
) -> T:
    """What is made of the XML of the body: of a long one where few are at a time. ``checked``: only with an MD5 or a
    checksum. :raises S3Error:"""
    try:
        body = Body(call, xml.MOST, about_it=about_it)
    except S3Error as error:
        # As the real service: a document that is too long is none.
        raise S3Error("MalformedXML") if error.code == "EntityTooLarge" else error from None
    if checked and not body.is_told:
        raise S3Error("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    data = await body.whole()
    if not data:
        raise S3Error("MissingRequestBodyError")

    def work() -> T:
        return made(xml.parsed(data, root))

    if len(data) > LONG:
        return await heavy.run(call.inner(), work)
    return await call.request.core.in_thread(work)


async def must_be_there(call: Call) -> None:
    """That is looked at before the body is. :raises S3Error: there is no such bucket."""
    if not await call.request.core.in_thread(buckets.is_there, call.request, call.place):
        raise S3Error("NoSuchBucket", details={"BucketName": call.bucket})


def has_document(call: Call) -> bool:
    return call.headers.get("content-length", "0") not in ("", "0") or "transfer-encoding" in call.headers
