"""The image API, line by line. Reference: https://docs.openstack.org/api-ref/image/v2/"""

from __future__ import annotations

from tane.services.image import schemas
from tane.services.image.api import data, documents, images, members, versions
from tane.web.routes import Route

IMAGE = "/v2/images/{image_id}"

ROUTES = (
    Route("GET", "/", versions.index, None),
    Route("GET", "/versions", versions.explicit, None),
    Route("GET", "/v2", versions.index, None),
    Route("GET", "/v2/images", images.index, "get_images"),
    Route("POST", "/v2/images", images.create, "add_image", schemas.ImageCreate, status=201),
    Route("GET", IMAGE, images.show, "get_image"),
    Route("PATCH", IMAGE, images.update, "modify_image"),
    Route("DELETE", IMAGE, images.delete, "delete_image", status=204),
    Route("PUT", f"{IMAGE}/file", data.upload, "upload_image", status=204, stream=True),
    Route("GET", f"{IMAGE}/file", data.download, "download_image"),
    Route("POST", f"{IMAGE}/import", images.import_image, "modify_image", status=202),
    Route("POST", f"{IMAGE}/actions/deactivate", images.deactivate, "deactivate", status=204),
    Route("POST", f"{IMAGE}/actions/reactivate", images.reactivate, "reactivate", status=204),
    Route("PUT", f"{IMAGE}/tags/{{tag}}", images.add_tag, "modify_image", status=204),
    Route("DELETE", f"{IMAGE}/tags/{{tag}}", images.remove_tag, "modify_image", status=204),
    Route("GET", f"{IMAGE}/members", members.index, "get_members"),
    Route("POST", f"{IMAGE}/members", members.create, "add_member", schemas.MemberCreate),
    Route("GET", f"{IMAGE}/members/{{member_id}}", members.show, "get_member"),
    Route("PUT", f"{IMAGE}/members/{{member_id}}", members.update, "modify_member", schemas.MemberUpdate),
    Route("DELETE", f"{IMAGE}/members/{{member_id}}", members.delete, "delete_member", status=204),
    Route("GET", "/v2/schemas/{name}", documents.show, "get_image_schema"),
    Route("GET", "/v2/info/import", images.import_info, "get_image_schema"),
)
