"""The image API, line by line. Reference: https://docs.openstack.org/api-ref/image/v2/"""

from __future__ import annotations

from tane.services.image import schemas
from tane.services.image.api import data, documents, images, imports, members, tasks, versions
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
    Route("PUT", f"{IMAGE}/stage", data.stage, "modify_image", status=204, stream=True),
    Route("POST", f"{IMAGE}/import", imports.import_image, "modify_image", status=202),
    Route("GET", f"{IMAGE}/tasks", tasks.of_image, "get_image"),
    Route("POST", f"{IMAGE}/locations", imports.add_location, "add_image_location", schemas.LocationCreate, status=202),
    Route("GET", f"{IMAGE}/locations", imports.show_locations, "fetch_image_location"),
    Route("DELETE", "/v2/stores/{store_id}/{image_id}", imports.delete_from_store, "delete_image_location", status=204),
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
    Route("GET", "/v2/info/import", imports.import_info, "get_image_schema"),
    Route("GET", "/v2/info/stores", imports.stores_info, "get_image_schema"),
    Route("GET", "/v2/info/stores/detail", imports.stores_detail, "stores_info_detail"),
    Route("GET", "/v2/tasks", tasks.index, "get_tasks"),
    Route("POST", "/v2/tasks", tasks.create, "add_task", schemas.TaskCreate, status=201),
    Route("GET", "/v2/tasks/{task_id}", tasks.show, "get_task"),
    Route("DELETE", "/v2/tasks/{task_id}", tasks.delete, "tasks_api_access", status=204),
)
