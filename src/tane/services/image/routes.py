"""The image API, line by line. Reference: https://docs.openstack.org/api-ref/image/v2/"""

from __future__ import annotations

from tane.services.image import schemas
from tane.services.image.api import cache, data, documents, images, imports, members, metadefs, tasks, versions
from tane.web.routes import Route

IMAGE = "/v2/images/{image_id}"
SPACES = "/v2/metadefs/namespaces"
SPACE = f"{SPACES}/{{namespace}}"
OBJECT = f"{SPACE}/objects/{{object_name}}"
PROPERTIES = f"{SPACE}/properties"
PROPERTY = f"{SPACE}/properties/{{property_name}}"
TAG = f"{SPACE}/tags/{{tag_name}}"
KIND = f"{SPACE}/resource_types"

METADEFS = (
    Route("GET", SPACES, metadefs.index, "get_metadef_namespaces"),
    Route("POST", SPACES, metadefs.create, "add_metadef_namespace", schemas.NamespaceBody, status=201),
    Route("GET", SPACE, metadefs.show, "get_metadef_namespace"),
    Route("PUT", SPACE, metadefs.update, "modify_metadef_namespace", schemas.NamespaceBody),
    Route("DELETE", SPACE, metadefs.delete, "delete_metadef_namespace", status=204),
    Route("GET", f"{SPACE}/objects", metadefs.objects, "get_metadef_objects"),
    Route("POST", f"{SPACE}/objects", metadefs.create_object, "add_metadef_object", schemas.ObjectBody, status=201),
    Route("DELETE", f"{SPACE}/objects", metadefs.delete_objects, "delete_metadef_namespace", status=204),
    Route("GET", OBJECT, metadefs.show_object, "get_metadef_object"),
    Route("PUT", OBJECT, metadefs.update_object, "modify_metadef_object", schemas.ObjectBody),
    Route("DELETE", OBJECT, metadefs.delete_object, "delete_metadef_object", status=204),
    Route("GET", PROPERTIES, metadefs.properties, "get_metadef_properties"),
    Route(
        "POST",
        PROPERTIES,
        metadefs.create_property,
        "add_metadef_property",
        schemas.PropertyBody,
        status=201,
    ),
    Route("DELETE", PROPERTIES, metadefs.delete_properties, "delete_metadef_namespace", status=204),
    Route("GET", PROPERTY, metadefs.show_property, "get_metadef_property"),
    Route("PUT", PROPERTY, metadefs.update_property, "modify_metadef_property", schemas.PropertyBody),
    Route("DELETE", PROPERTY, metadefs.delete_property, "remove_metadef_property", status=204),
    Route("GET", f"{SPACE}/tags", metadefs.tags, "get_metadef_tags"),
    Route("POST", f"{SPACE}/tags", metadefs.create_tags, "add_metadef_tags", schemas.TagsBody, status=201),
    Route("DELETE", f"{SPACE}/tags", metadefs.delete_tags, "delete_metadef_tags", status=204),
    Route("GET", TAG, metadefs.show_tag, "get_metadef_tag"),
    Route("POST", TAG, metadefs.create_tag, "add_metadef_tag", status=201),
    Route("PUT", TAG, metadefs.update_tag, "modify_metadef_tag", schemas.TagBody),
    Route("DELETE", TAG, metadefs.delete_tag, "delete_metadef_tag", status=204),
    Route("GET", "/v2/metadefs/resource_types", metadefs.resource_types, "list_metadef_resource_types"),
    Route("GET", KIND, metadefs.associations, "get_metadef_resource_type"),
    Route(
        "POST",
        KIND,
        metadefs.associate,
        "add_metadef_resource_type_association",
        schemas.AssociationBody,
        status=201,
    ),
    Route(
        "DELETE",
        f"{KIND}/{{resource_type}}",
        metadefs.dissociate,
        "remove_metadef_resource_type_association",
        status=204,
    ),
    Route("GET", "/v2/schemas/metadefs/{name}", documents.show_metadef, "get_image_schema"),
)

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
    Route("GET", "/v2/info/usage", cache.usage, "get_image_schema"),
    Route("GET", "/v2/cache", cache.index, "cache_list"),
    Route("DELETE", "/v2/cache", cache.clear, "cache_delete", status=204),
    Route("PUT", "/v2/cache/{image_id}", cache.queue, "cache_image", status=202),
    Route("DELETE", "/v2/cache/{image_id}", cache.remove, "cache_delete", status=204),
    Route("POST", "/v2/cache/clean", cache.clean, "cache_clean", status=200),
    Route("POST", "/v2/cache/prune", cache.prune, "cache_prune", status=200),
    *METADEFS,
)
