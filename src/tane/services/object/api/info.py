"""What this store can do, and whether it is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tane.services.object.domain import bulk, copies, manifests, metadata, reading, tempurl
from tane.services.object.domain.s3 import uploads
from tane.web.request import Request, Response

VERSION = "2.38.0"
"""Of Swift, whose API this is: clients ask for it."""
CROSSDOMAIN = b"""<?xml version="1.0"?>
<!DOCTYPE cross-domain-policy SYSTEM "http://www.adobe.com/xml/dtds/cross-domain-policy.dtd" >
<cross-domain-policy>
</cross-domain-policy>"""


def capabilities(digests: list[str], policies: Sequence[str] = ("one",), default: str = "one") -> dict[str, Any]:
    """Only what is on."""
    return {
        "swift": {
            "version": VERSION,
            "max_file_size": metadata.MAX_FILE_SIZE,
            "max_meta_name_length": metadata.MAX_META_NAME_LENGTH,
            "max_meta_value_length": metadata.MAX_META_VALUE_LENGTH,
            "max_meta_count": metadata.MAX_META_COUNT,
            "max_meta_overall_size": metadata.MAX_META_OVERALL_SIZE,
            "max_header_size": metadata.MAX_HEADER_SIZE,
            "max_object_name_length": metadata.MAX_OBJECT_NAME_LENGTH,
            "max_container_name_length": metadata.MAX_CONTAINER_NAME_LENGTH,
            "max_account_name_length": metadata.MAX_ACCOUNT_NAME_LENGTH,
            "container_listing_limit": metadata.LISTING_LIMIT,
            "account_listing_limit": metadata.LISTING_LIMIT,
            "extra_header_count": 0,
            "allow_account_management": True,
            "account_autocreate": True,
            "strict_cors_mode": True,
            "policies": [{"name": name, "aliases": name, "default": name == default} for name in policies],
        },
        "account_quotas": {},
        "bulk_delete": {"max_deletes_per_request": bulk.MOST_DELETES, "max_failed_deletes": bulk.MOST_FAILED},
        "bulk_upload": {
            "max_containers_per_extraction": bulk.MOST_CONTAINERS,
            "max_failed_extractions": bulk.MOST_FAILED,
        },
        "container_quotas": {},
        "copy": {},
        "crossdomain": {},
        "dlo": {"max_segments": metadata.LISTING_LIMIT},
        "formpost": {"allowed_digests": digests},
        "keystoneauth": {},
        "object_versioning": {},
        "s3api": {
            "allow_multipart_uploads": True,
            "max_bucket_listing": 1000,
            "max_multi_delete_objects": 1000,
            "max_parts_listing": 1000,
            "max_upload_part_num": uploads.MOST_PARTS,
            "min_segment_size": uploads.LEAST,
            "s3_acl": False,
        },
        "slo": {
            "max_manifest_segments": manifests.MAX_SEGMENTS,
            "max_manifest_size": manifests.MAX_MANIFEST_SIZE,
            "min_segment_size": 1,
            "allow_async_delete": False,
        },
        "staticweb": {},
        "symlink": {"symloop_max": reading.MOST_LINKS, "static_links": True},
        "tempurl": {
            "methods": list(tempurl.METHODS),
            "allowed_digests": digests,
            "incoming_allow_headers": [],
            "incoming_remove_headers": list(tempurl.REMOVED),
            "outgoing_allow_headers": [],
            "outgoing_remove_headers": [],
        },
        "versioned_writes": {"allowed_flags": ["x-versions-location", "x-history-location"]},
    }


def show(request: Request) -> dict[str, Any]:
    """What is on, and its limits"""
    settings = request.core.config.object
    return capabilities(list(settings.allowed_digests), copies.policies(request.core), settings.default_policy)


def health(request: Request) -> Response:
    """Whether the store answers"""
    return Response(b"OK", content_type="text/plain; charset=UTF-8")


def crossdomain(request: Request) -> Response:
    """The cross-domain policy: nobody"""
    return Response(CROSSDOMAIN, content_type="application/xml")
