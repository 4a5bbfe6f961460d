"""Calls about buckets."""

from __future__ import annotations

from tane.services.object.api.s3 import (
    access,
    describing,
    forms,
    lifecycle,
    listings,
    locks,
    logging,
    policy,
    uploads,
    xml,
)
from tane.services.object.api.s3.calls import Call, Table, answered, document, has_document, must_be_there
from tane.services.object.api.s3.xml import Node, element
from tane.services.object.domain.s3 import buckets, objects
from tane.services.object.domain.s3.errors import S3Error
from tane.web.request import Request, Response

MOST_DELETES = 1000


async def create(call: Call) -> Response:
    buckets.check_name(call.bucket, new=True)
    if has_document(call):
        # There is one region, whatever it is called.
        await document(call, "CreateBucketConfiguration", lambda node: node.value("LocationConstraint", ""))
    locked = call.headers.get("x-amz-bucket-object-lock-enabled", "").lower() == "true"
    await call.request.core.in_thread(buckets.create, call.inner(), call.place, access.canned(call), locked=locked)
    return Response(None, 200, {"Location": f"/{call.bucket}", "Content-Length": "0"})


async def show(call: Call) -> Response:
    if call.request.method != "HEAD":
        return await listings.objects(call)
    await call.request.core.in_thread(buckets.there, call.inner(), call.place)
    region = call.request.core.config.region
    return Response(None, 200, {"x-amz-bucket-region": region, "Content-Length": "0"}, xml.TYPE)


async def remove(call: Call) -> Response:
    await call.request.core.in_thread(buckets.remove, call.inner(), call.place)
    return Response(None, 204)


async def location(call: Call) -> Response:
    await call.request.core.in_thread(buckets.there, call.inner(), call.place)
    return Response(xml.document("LocationConstraint", call.request.core.config.region), content_type=xml.TYPE)


async def versioning(call: Call) -> Response:
    visit = await call.request.core.in_thread(buckets.there, call.inner(), call.place)
    state = {"enabled": "Enabled", "suspended": "Suspended"}.get(visit.there.versions_mode)
    return Response(
        xml.document("VersioningConfiguration", element("Status", state) if state else None), content_type=xml.TYPE
    )


async def set_versioning(call: Call) -> Response:
    state, mfa = await document(
        call, "VersioningConfiguration", lambda node: (node.value("Status"), node.value("MfaDelete", "Disabled"))
    )
    if state not in ("Enabled", "Suspended"):
        raise S3Error("MalformedXML")
    if mfa == "Enabled" or "x-amz-mfa" in call.headers:
        raise S3Error("NotImplemented", "MFA delete is not implemented.")
    await call.request.core.in_thread(buckets.set_versioning, call.inner(), call.place, enabled=state == "Enabled")
    return Response(b"")


async def delete_many(call: Call) -> Response:
    await must_be_there(call)
    named, quiet = await document(call, "Delete", _wanted, checked=True)
    found = await call.request.core.in_slow_thread(
        call.request.ctx.project_id, objects.delete_many, call.inner(), call.place, named, bypass=locks.bypass(call)
    )
    return Response(xml.document("DeleteResult", *_told(found, quiet)), content_type=xml.TYPE)


def _wanted(node: Node) -> tuple[list[objects.Named], bool]:
    """Keys with their versions and conditions, and whether only errors are to be told. :raises S3Error:"""
    found = node.all("Object")
    if not 1 <= len(found) <= MOST_DELETES:
        raise S3Error("MalformedXML")
    return [_named(one) for one in found], node.value("Quiet", "false").lower() == "true"


def _named(node: Node) -> objects.Named:
    found = node.child("Key")
    if found is None or "\0" in (found.text or ""):
        raise S3Error("MalformedXML")
    if not found.text:
        raise S3Error("UserKeyMustBeSpecified")
    if len(found.text.encode()) > 1024:
        raise S3Error("KeyTooLongError")
    expected = describing.deletion(node.value("ETag", ""), node.value("Size", ""), node.value("LastModifiedTime", ""))
    return found.text, node.value("VersionId", "") or None, expected


def _told(found: list[objects.Outcome], quiet: bool) -> list[xml.Markup]:
    lines = []
    for one in found:
        asked = element("VersionId", one.wanted) if one.wanted else None
        if isinstance(one.error, S3Error):
            told = (element("Code", one.error.code), element("Message", one.error.message))
            lines.append(element("Error", element("Key", one.key), asked, *told))
        elif one.deleted is not None and not quiet:
            marker = one.deleted.marker
            lines.append(
                element(
                    "Deleted",
                    element("Key", one.key),
                    asked,
                    element("DeleteMarker", "true") if marker else None,
                    element("DeleteMarkerVersionId", one.deleted.version) if marker else None,
                )
            )
    return lines


async def service(call: Call) -> Response:
    if call.request.method != "GET":
        raise S3Error("MethodNotAllowed")
    return await listings.owned(call)


SERVICE: Table = {"": service}
GET: Table = {
    "acl": access.get_acl,
    "cors": access.get_cors,
    "lifecycle": lifecycle.show,
    "location": location,
    "logging": logging.show,
    "object-lock": locks.get_configuration,
    "policy": policy.show,
    "policyStatus": policy.status,
    "tagging": access.get_bucket_tags,
    "uploads": uploads.under_way,
    "versioning": versioning,
    "versions": listings.versions,
    "": show,
}
PUT: Table = {
    "acl": access.put_acl,
    "cors": access.put_cors,
    "lifecycle": lifecycle.put,
    "logging": logging.put,
    "object-lock": locks.put_configuration,
    "policy": policy.put,
    "tagging": access.put_bucket_tags,
    "versioning": set_versioning,
    "": create,
}
POST: Table = {"delete": delete_many}
DELETE: Table = {
    "cors": access.delete_cors,
    "lifecycle": lifecycle.remove,
    "policy": policy.remove,
    "tagging": access.delete_bucket_tags,
    "": remove,
}


async def get_service(request: Request) -> Response:
    """List the project's buckets"""
    return await answered(request, SERVICE)


async def get_bucket(request: Request) -> Response:
    """List a bucket's objects, `versions`, `uploads`; its `acl`, `cors`, `lifecycle`, `object-lock`, `policy`, …"""
    return await answered(request, GET, SERVICE)


async def put_bucket(request: Request) -> Response:
    """Make a bucket; set its `acl`, `cors`, `lifecycle`, `object-lock`, `policy`, `tagging`, `versioning`"""
    return await answered(request, PUT, SERVICE)


async def post_bucket(request: Request) -> Response:
    """Delete the objects that the body names (`delete`); upload the file of a signed HTML form"""
    if is_form(request):
        return await forms.upload(request)
    return await answered(request, POST, SERVICE)


def is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def delete_bucket(request: Request) -> Response:
    """Delete an empty bucket; its `cors`, `lifecycle`, `policy`, `tagging`"""
    return await answered(request, DELETE, SERVICE)
