"""Access lists, rules for pages of other origins, tags: what S3 says in documents."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from tane.db.documents import dump, load
from tane.services.object.api.s3 import xml
from tane.services.object.api.s3.calls import Call, document, has_document
from tane.services.object.api.s3.pages import MOST_HEADERS, Rule, rules_of
from tane.services.object.api.s3.xml import INSTANCE, Node, element, optional
from tane.services.object.domain.metadata import CONTROL
from tane.services.object.domain.s3 import buckets, objects
from tane.services.object.domain.s3.errors import S3Error
from tane.web.request import Response

GROUPS = "http://acs.amazonaws.com/groups/global/"
OF_OBJECTS = ("bucket-owner-read", "bucket-owner-full-control")
MOST_RULES, MOST_CORS = 100, 8 << 10
METHODS = ("GET", "PUT", "HEAD", "POST", "DELETE")


# ---------------------------------------------------------------------------------------------------- access lists


async def get_acl(call: Call) -> Response:
    """The grants of a bucket, which hold for its objects, too"""
    visit = await call.request.core.in_thread(buckets.there, call.inner(), call.place, "post_container")
    if call.name:
        await call.request.core.in_thread(objects.tags, objects.named(call.inner(), call.param("versionId")), call.at)
    ctx = call.request.ctx
    owner = (element("ID", ctx.project_id), element("DisplayName", ctx.project_name or ctx.project_id))
    found = [_grant("CanonicalUser", *owner, permission="FULL_CONTROL")]
    found += [
        _grant("Group", element("URI", GROUPS + group), permission=permission)
        for group, permission in buckets.grants(visit.there)
    ]
    body = xml.document("AccessControlPolicy", call.owner(), element("AccessControlList", *found))
    return Response(body, content_type=xml.TYPE)


def _grant(kind: str, *who: xml.Markup, permission: str) -> xml.Markup:
    attributes = f' xmlns:xsi="{INSTANCE}" xsi:type="{kind}"'
    return element("Grant", element("Grantee", *who, attributes=attributes), element("Permission", permission))


def canned(call: Call) -> str:
    """What x-amz-acl asks for. :raises S3Error: it is not offered."""
    wanted = call.headers.get("x-amz-acl", "private")
    if wanted in OF_OBJECTS:
        return "private"
    if wanted not in buckets.CANNED:
        code = "NotImplemented" if wanted in ("log-delivery-write", "aws-exec-read") else "InvalidArgument"
        raise S3Error(code, f"The canned ACL {wanted[:100]!r} is not offered.")
    return wanted


async def put_acl(call: Call) -> Response:
    """Give a bucket one of the canned access lists"""
    if "x-amz-acl" not in call.headers and has_document(call):
        wanted = await document(call, "AccessControlPolicy", partial(_canned_of, call))
    elif "x-amz-acl" in call.headers:
        wanted = canned(call)
    else:
        raise S3Error("MissingSecurityHeader", "Your request was missing a required header: x-amz-acl")
    await call.request.core.in_thread(buckets.set_access, call.inner(), call.place, wanted)
    return Response(b"")


async def put_object_acl(call: Call) -> Response:
    """Accept the access list that an object has by its bucket"""
    if "x-amz-acl" not in call.headers and has_document(call):
        wanted = await document(call, "AccessControlPolicy", partial(_canned_of, call))
    else:
        wanted = canned(call)
    await call.request.core.in_thread(objects.tags, objects.named(call.inner(), call.param("versionId")), call.at)
    await call.request.core.in_thread(check_object, call, wanted)
    return Response(b"")


async def check(call: Call) -> None:
    """What the headers of a write say of who may read the object. :raises S3Error: it is not offered."""
    wanted = canned(call)
    if wanted != "private":
        await call.request.core.in_thread(check_object, call, wanted)


def check_object(call: Call, wanted: str) -> None:
    """Objects have no lists of their own: only what the bucket's says already can be asked for.

    :raises S3Error: it is something else.
    """
    if wanted == "private":
        return
    row = buckets.there(call.inner(), call.place).there
    if (row.read_acl, row.write_acl if wanted == "public-read-write" else "") != buckets.CANNED[wanted]:
        raise S3Error("NotImplemented", "Access lists of single objects are not implemented: set that of the bucket.")


def _canned_of(call: Call, policy: Node) -> str:
    """The canned list that a document comes to. :raises S3Error: there is none."""
    held = policy.child("AccessControlList")
    if held is None:
        raise S3Error("MalformedACLError")
    found = set()
    for grant in held.all("Grant"):
        grantee, permission = grant.child("Grantee"), grant.value("Permission")
        if grantee is None or permission not in ("FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"):
            raise S3Error("MalformedACLError")
        uri = grantee.value("URI", "")
        if uri:
            found.add((uri.removeprefix(GROUPS), permission))
        elif grantee.value("ID", "") != call.request.ctx.project_id or permission != "FULL_CONTROL":
            raise S3Error("NotImplemented", "Grants to single users are not implemented.")
    lists = {
        "private": set[tuple[str, str]](),
        "public-read": {("AllUsers", "READ")},
        "public-read-write": {("AllUsers", "READ"), ("AllUsers", "WRITE")},
        "authenticated-read": {("AuthenticatedUsers", "READ")},
    }
    for name, grants in lists.items():
        if grants == found:
            return name
    raise S3Error("NotImplemented", "Only grants that a canned ACL comes to are implemented.")


# ------------------------------------------------------------------------------------------------------------ CORS


async def get_cors(call: Call) -> Response:
    """The bucket's rules for pages of other origins"""
    visit = await call.request.core.in_thread(buckets.there, call.inner(), call.place, "post_container")
    rules = rules_of(visit.container_meta)
    if not rules:
        raise S3Error("NoSuchCORSConfiguration", details={"BucketName": call.bucket})
    return Response(xml.document("CORSConfiguration", *(_shown(rule) for rule in rules)), content_type=xml.TYPE)


def _shown(rule: Rule) -> xml.Markup:
    return element(
        "CORSRule",
        optional("ID", rule.id),
        *(element("AllowedOrigin", one) for one in rule.origins),
        *(element("AllowedMethod", one) for one in rule.methods),
        *(element("AllowedHeader", one) for one in rule.headers),
        *(element("ExposeHeader", one) for one in rule.exposed),
        None if rule.max_age is None else element("MaxAgeSeconds", str(rule.max_age)),
    )


async def put_cors(call: Call) -> Response:
    """Set the bucket's rules for pages of other origins"""
    text = await document(call, "CORSConfiguration", _rules)
    await call.request.core.in_thread(buckets.change, call.inner(), call.place, cors=text)
    return Response(b"")


def _rules(node: Node) -> str:
    """As they are kept. :raises S3Error:"""
    found = node.all("CORSRule")
    if not 1 <= len(found) <= MOST_RULES:
        raise S3Error("MalformedXML")
    text = dump(msgspec.to_builtins([_rule(one) for one in found]))
    if len(text) > MOST_CORS:
        raise S3Error("InvalidRequest", f"The rules take more than {MOST_CORS} bytes.")
    return text


def _rule(node: Node) -> Rule:
    def texts(name: str) -> list[str]:
        found = [one.text.strip() for one in node.all(name)]
        if any(CONTROL.search(text) or text.count("*") > 1 or not text.isascii() or not text for text in found):
            raise S3Error("InvalidRequest", f"{name} can not have more than one wildcard, nor control characters.")
        return found

    age = node.value("MaxAgeSeconds", "")
    if age and not (age.isascii() and age.isdigit() and len(age) < 10):
        raise S3Error("MalformedXML")
    found = Rule(
        texts("AllowedOrigin"),
        texts("AllowedMethod"),
        texts("AllowedHeader"),
        texts("ExposeHeader"),
        int(age) if age else None,
        node.value("ID", "")[:255],
    )
    if not found.origins or not found.methods:
        raise S3Error("MalformedXML")
    if len(found.headers) > MOST_HEADERS:
        raise S3Error("InvalidRequest", f"A CORS rule has at most {MOST_HEADERS} elements AllowedHeader.")
    for method in found.methods:
        if method not in METHODS:
            raise S3Error("InvalidRequest", f"Found unsupported HTTP method in CORS config: {method[:50]}")
    if any("*" in text for text in found.exposed):
        raise S3Error("InvalidRequest", "ExposeHeader must not have a wildcard.")
    return found


async def delete_cors(call: Call) -> Response:
    """Remove the bucket's rules for pages of other origins"""
    await call.request.core.in_thread(buckets.change, call.inner(), call.place, cors="")
    return Response(None, 204)


# ------------------------------------------------------------------------------------------------------------ tags


def _tags(node: Node, most: int) -> str:
    """As they are kept. :raises S3Error:"""
    held = node.child("TagSet")
    if held is None:
        raise S3Error("MalformedXML")
    return _kept([(one.value("Key"), one.value("Value")) for one in held.all("Tag")], most)


def _kept(pairs: list[tuple[str, str]], most: int) -> str:
    if len(pairs) > most:
        raise S3Error("InvalidTag", f"Tags cannot be greater than {most}")
    for key, value in pairs:
        if not 1 <= len(key) <= 128 or len(value) > 256 or CONTROL.search(key + value):
            raise S3Error("InvalidTag", "The tag's key must have 1 to 128 characters, its value at most 256.")
    if len({key for key, _ in pairs}) != len(pairs):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
    return dump([list(pair) for pair in pairs]) if pairs else ""


def tags_in(header: str) -> str:
    """Of x-amz-tagging. :raises S3Error:"""
    try:
        pairs = parse_qsl(header, keep_blank_values=True, strict_parsing=bool(header), max_num_fields=50)
    except ValueError:
        raise S3Error(
            "InvalidArgument",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL "
            "query parameters without tag name duplicates.",
        ) from None
    return _kept(pairs, 10)


def tag_count(kept: str) -> int:
    return len(load(kept)) if kept else 0


def _tag_document(kept: str) -> bytes:
    pairs: list[Any] = load(kept) if kept else []
    found = [element("Tag", element("Key", key), element("Value", value)) for key, value in pairs]
    return xml.document("Tagging", element("TagSet", *found))


async def get_tags(call: Call) -> Response:
    """The tags of an object"""
    inner = objects.named(call.inner(), call.param("versionId"))
    kept, version = await call.request.core.in_thread(objects.tags, inner, call.at)
    return Response(_tag_document(kept), headers=_version(version), content_type=xml.TYPE)


async def put_tags(call: Call) -> Response:
    """Give an object tags"""
    return await _tag(call, await document(call, "Tagging", partial(_tags, most=10)), 200)


async def delete_tags(call: Call) -> Response:
    """Remove an object's tags"""
    return await _tag(call, "", 204)


async def _tag(call: Call, kept: str, status: int) -> Response:
    inner = objects.named(call.inner(), call.param("versionId"))
    version = await call.request.core.in_thread(objects.tag, inner, call.at, kept)
    return Response(b"" if status == 200 else None, status, _version(version))


def _version(version: str) -> dict[str, str]:
    return {"x-amz-version-id": version} if version else {}


async def get_bucket_tags(call: Call) -> Response:
    """The tags of a bucket"""
    visit = await call.request.core.in_thread(buckets.there, call.inner(), call.place, "post_container")
    kept = visit.container_meta.get("s3-tags", "")
    if not kept:
        raise S3Error("NoSuchTagSet", details={"BucketName": call.bucket})
    return Response(_tag_document(kept), content_type=xml.TYPE)


async def put_bucket_tags(call: Call) -> Response:
    """Give a bucket tags"""
    kept = await document(call, "Tagging", partial(_tags, most=50))
    await call.request.core.in_thread(buckets.change, call.inner(), call.place, tags=kept)
    return Response(None, 204)


async def delete_bucket_tags(call: Call) -> Response:
    """Remove a bucket's tags"""
    await call.request.core.in_thread(buckets.change, call.inner(), call.place, tags="")
    return Response(None, 204)
