"""Quality-of-service specs (Block Storage API v3: "Quality of service (QoS) specifications")."""

from __future__ import annotations

from typing import Any

from tane.services.volume.api import query
from tane.services.volume.api.volumes import links
from tane.services.volume.domain import qos
from tane.web.errors import BadRequest
from tane.web.request import Request

SORT_KEYS = ("id", "name", "consumer", "created_at", "updated_at")


def view(row: Any) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "consumer": row.consumer, "specs": row.specs}


def index(request: Request) -> Any:
    wanted = query.page_of(request, SORT_KEYS)
    found = qos.index(request.core, wanted)
    place = f"/v3/{request.path['project_id']}/qos-specs"
    return query.answer(request, place, "qos_specs", [view(row) for row in found], query.full(wanted, found), None)


def show(request: Request) -> dict[str, Any]:
    return _shown(request, qos.show(request.core, request.path["specs_id"]))


def create(request: Request) -> dict[str, Any]:
    """Name and consumer stand among the specs; a consumer that is not told is the back end."""
    specs = _checked(request.body.qos_specs)
    name = specs.pop("name", "").strip()
    if not name:
        raise BadRequest("Invalid input for field/attribute qos_specs. 'name' is a required property")
    return _shown(request, qos.create(request.core, name, specs.pop("consumer", "back-end"), specs))


def update(request: Request) -> dict[str, Any]:
    given = _checked(request.body.qos_specs)
    specs = {key: value for key, value in given.items() if key != "consumer"}
    qos.update(request.core, request.path["specs_id"], given.get("consumer"), specs)
    return {"qos_specs": given}


def delete_keys(request: Request) -> None:
    qos.remove_keys(request.core, request.path["specs_id"], request.body.keys)


def delete(request: Request) -> None:
    qos.delete(request.core, request.path["specs_id"], force=request.flag("force"))


def associations(request: Request) -> dict[str, Any]:
    found = qos.associations(request.core, request.path["specs_id"])
    return {"qos_associations": [{"association_type": "volume_type", "name": row.name, "id": row.id} for row in found]}


def associate(request: Request) -> None:
    qos.associate(request.core, request.path["specs_id"], _type_id(request))


def disassociate(request: Request) -> None:
    qos.disassociate(request.core, request.path["specs_id"], _type_id(request))


def disassociate_all(request: Request) -> None:
    qos.disassociate_all(request.core, request.path["specs_id"])


def _shown(request: Request, row: Any) -> dict[str, Any]:
    return {"qos_specs": view(row), "links": links(request, "qos_specs", row.id)}


def _type_id(request: Request) -> str:
    given = request.param("vol_type_id")
    if not given:
        raise BadRequest("Volume Type id must not be None.")
    return given


def _checked(given: dict[str, str | int]) -> dict[str, str]:
    """Numbers are kept as words. :raises BadRequest: a key or a value is too long, or a key is empty."""
    found = {key: str(value) for key, value in given.items()}
    for key, value in found.items():
        if not key or len(key) > 255 or len(value) > 255:
            raise BadRequest(f"Invalid input for field/attribute qos_specs: the key '{key}' or its value is too long")
    return found
