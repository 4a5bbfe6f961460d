"""Route table of object storage: Swift's API.

HEAD goes with each GET. Paths are raw: an object's name is all that follows its container.
"""

from __future__ import annotations

from tane.services.object.api import accounts, bulk, containers, cors, downloads, info, objects
from tane.services.object.api.logged import logged
from tane.services.object.api.s3 import buckets as s3_buckets
from tane.services.object.api.s3 import objects as s3_objects
from tane.web.routes import Route

ACCOUNT = "/v1/{account}"
CONTAINER = f"{ACCOUNT}/{{container}}"
OBJECT = f"{CONTAINER}/{{object}}"
BUCKET = "/{bucket}"
KEY = "/{bucket}/{key}"

_SWIFT = (
    Route("GET", "/info", info.show, None),
    Route("GET", "/healthcheck", info.health, None),
    Route("GET", "/crossdomain.xml", info.crossdomain, None),
    Route("GET", ACCOUNT, accounts.show, "object_store:get_account", stream=True),
    Route("POST", ACCOUNT, bulk.post_account, "object_store:post_account", stream=True),
    Route("PUT", ACCOUNT, bulk.put_account, "object_store:put_account", stream=True),
    Route("DELETE", ACCOUNT, bulk.delete_account, "object_store:delete_account", stream=True),
    Route("OPTIONS", ACCOUNT, cors.options, None, stream=True),
    Route("GET", CONTAINER, containers.show, "object_store:get_container", stream=True),
    Route("POST", CONTAINER, bulk.post_container, "object_store:post_container", stream=True),
    Route("PUT", CONTAINER, bulk.put_container, "object_store:put_container", stream=True),
    Route("DELETE", CONTAINER, bulk.delete_container, "object_store:delete_container", stream=True),
    Route("OPTIONS", CONTAINER, cors.options, None, stream=True),
    Route("GET", OBJECT, downloads.show, "object_store:get_object", stream=True),
    Route("PUT", OBJECT, objects.put, "object_store:put_object", stream=True),
    Route("POST", OBJECT, objects.update, "object_store:post_object", stream=True),
    Route("DELETE", OBJECT, objects.delete, "object_store:delete_object", stream=True),
    Route("COPY", OBJECT, objects.copy, "object_store:copy_object", stream=True),
    Route("OPTIONS", OBJECT, cors.options, None, stream=True),
)
ROUTES = tuple(map(logged, _SWIFT))
_S3 = (
    Route("GET", "/", s3_buckets.get_service, "object_store:get_account", stream=True),
    Route("GET", BUCKET, s3_buckets.get_bucket, "object_store:get_container", stream=True),
    Route("PUT", BUCKET, s3_buckets.put_bucket, "object_store:put_container", stream=True),
    Route("POST", BUCKET, s3_buckets.post_bucket, "object_store:delete_object", stream=True),
    Route("DELETE", BUCKET, s3_buckets.delete_bucket, "object_store:delete_container", stream=True),
    Route("OPTIONS", BUCKET, s3_objects.options, None, stream=True),
    Route("GET", KEY, s3_objects.get_object, "object_store:get_object", stream=True),
    Route("PUT", KEY, s3_objects.put_object, "object_store:put_object", stream=True),
    Route("POST", KEY, s3_objects.post_object, "object_store:put_object", stream=True),
    Route("DELETE", KEY, s3_objects.delete_object, "object_store:delete_object", stream=True),
    Route("OPTIONS", KEY, s3_objects.options, None, stream=True),
)
S3_ROUTES = tuple(map(logged, _S3))
"""The same store by S3's API: a bucket is a container of the project whose credential signs."""
AT_ROOT = ("/info", "/healthcheck", "/crossdomain.xml", "/v1/")
"""Clients ask for these at the root of the host, wherever the catalogue says that accounts are; some take the version
to be the first part of any account's address."""
