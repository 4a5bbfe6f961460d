"""``OS::Heat::SoftwareConfig``, ``StructuredConfig``, ``CloudConfig``, ``MultipartMime``, and deployments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from tane.services.orchestration.resources import mime
from tane.services.orchestration.resources.base import Failed, Kind, Replace, Wait
from tane.services.orchestration.resources.declaring import listing, mapping, one_of, shown, text
from tane.services.orchestration.template.constraints import AllowedValues, Length
from tane.services.orchestration.template.properties import Property
from tane.web.errors import BadRequest, NotFound, NotImplementedHere
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.core import Core
    from tane.db import Tx
    from tane.services.orchestration.domain.hand import Hand

MOST_CLOUD_CONFIG = 48 << 10
"""Bytes, as JSON, of what becomes YAML in a step that holds the database's writer: as much as user data may have."""
COMPONENT = "component"
"""The group of configurations that are for some actions each."""
VALUE_TYPES = ("String", "Number", "CommaDelimitedList", "Json", "Boolean")
ACTIONS = ("CREATE", "UPDATE", "DELETE", "SUSPEND", "RESUME")
SERVER_TIME = timedelta(minutes=1)
"""So often it is looked whether the server is there of which a deletion waits for an answer."""
INPUTS = listing(
    "Schema representing the inputs that this software config is expecting.",
    {
        "name": text("Name of the input.", required=True),
        "description": text("Description of the input."),
        "type": one_of("Type of the value of the input.", *VALUE_TYPES, default="String"),
        "default": Property(type="any", description="Default value for the input if none is specified."),
        "replace_on_change": Property(type="boolean", default=False, description="Replace the deployment on change."),
    },
)
OUTPUTS = listing(
    "Schema representing the outputs that this software config will produce.",
    {
        "name": text("Name of the output.", required=True),
        "description": text("Description of the output."),
        "type": one_of("Type of the value of the output.", *VALUE_TYPES, default="String"),
        "error_output": Property(type="boolean", default=False, description="A value here is an error."),
    },
)


class Config(Kind):
    """A configuration: a row that never changes."""

    attributes = shown(["config"])

    def values(self, hand: Hand) -> dict[str, Any]:
        given = hand.properties
        return {
            "name": hand.physical_name(),
            "group": given.get("group") or "Heat::Ungrouped",
            "config": given.get("config") or "",
            "inputs": given.get("inputs") or [],
            "outputs": given.get("outputs") or [],
            "options": given.get("options") or {},
        }

    def create(self, hand: Hand) -> str | None:
        from tane.services.orchestration.domain import software

        hand.may("POST", "/software_configs")
        return str(software.insert_config(hand.tx, hand.stack.project_id, self.values(hand)).id)

    def _row(self, hand: Hand) -> Any:
        from tane.services.orchestration.store import software

        config_id = hand.row.physical_id
        return None if config_id is None else software.config(hand.tx, hand.stack.project_id, config_id)

    def delete(self, hand: Hand) -> None:
        from tane.services.orchestration.store import software

        if self._row(hand) is not None and not software.used(hand.tx, hand.row.physical_id):
            hand.may("DELETE", f"/software_configs/{hand.row.physical_id}")
            software.remove_config(hand.tx, hand.row.physical_id)

    def show(self, hand: Hand) -> Mapping[str, Any]:
        row = self._row(hand)
        return {} if row is None else {"id": row.id, "name": row.name, "group": row.group, "config": row.config}


class SoftwareConfig(Config):
    name = "OS::Heat::SoftwareConfig"
    description = "A resource for describing and storing software configuration."
    properties = {
        "group": text(
            "Namespace to group this software config by when delivered to a server.", default="Heat::Ungrouped"
        ),
        "config": text("Configuration script or manifest which specifies what actual configuration is performed."),
        "options": mapping("Map containing options specific to the configuration management tool."),
        "inputs": INPUTS,
        "outputs": OUTPUTS,
    }


class StructuredConfig(Config):
    name = "OS::Heat::StructuredConfig"
    description = "A resource which has same logic with OS::Heat::SoftwareConfig, of a map."
    properties = {**SoftwareConfig.properties, "config": mapping("Map representing the configuration data structure.")}


class SoftwareComponent(Config):
    """Several configurations, each for some of the actions of a resource."""

    name = "OS::Heat::SoftwareComponent"
    description = "A resource for describing and storing a software component."
    properties = {
        "configs": listing(
            "The list of configurations for the different lifecycle actions.",
            {
                "actions": Property(
                    type="list",
                    default=["CREATE", "UPDATE"],
                    schema=Property(type="string"),
                    constraints=(Length(min=1),),
                    description="Lifecycle actions to which the configuration applies.",
                ),
                "config": SoftwareConfig.properties["config"],
                "tool": text("The configuration tool used to actually apply the configuration.", required=True),
            },
            Length(min=1),
            required=True,
        ),
        "inputs": INPUTS,
        "outputs": OUTPUTS,
        "options": SoftwareConfig.properties["options"],
    }
    attributes = shown({"config": "string", "configs": "list", "show": "map"})

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        actions = [action for one in properties.get("configs") or [] for action in one.get("actions") or []]
        if len(actions) != len(set(actions)):
            raise BadRequest(
                "Defining more than one configuration for the same action in SoftwareComponent "
                f'"{hand.row.name}" is not allowed.',
                type="StackValidationFailed",
            )

    def values(self, hand: Hand) -> dict[str, Any]:
        kept = {**super().values(hand), "group": COMPONENT}
        return {**kept, "config": {"configs": list(hand.properties["configs"])}}

    def attribute(self, hand: Hand, name: str) -> Any:
        row = self._row(hand)
        configs = [] if row is None else row.config["configs"]
        return {"configs": configs, "config": {"configs": configs}}.get(name) or self.show(hand)


class CloudConfig(Config):
    name = "OS::Heat::CloudConfig"
    description = "A configuration resource for representing cloud-init cloud-config."
    properties = {"cloud_config": mapping("Map representing the cloud-config data structure.")}

    def values(self, hand: Hand) -> dict[str, Any]:
        given = hand.properties.get("cloud_config") or {}
        size = len(msgspec.json.encode(given))
        if size > MOST_CLOUD_CONFIG:
            raise BadRequest(f"cloud_config: it has at most {MOST_CLOUD_CONFIG} bytes, as JSON; it has {size}.")
        document = yaml.dump(given, Dumper=yaml.CSafeDumper, default_flow_style=False)
        return {**super().values(hand), "config": f"#cloud-config\n{document}"}


class MultipartMime(Config):
    name = "OS::Heat::MultipartMime"
    description = "Assembles a collection of software configurations as a multi-part mime message."
    properties = {
        "group": text("Namespace to group this software config by.", default="Heat::Ungrouped"),
        "options": SoftwareConfig.properties["options"],
        "inputs": INPUTS,
        "outputs": OUTPUTS,
        "parts": listing(
            "Parts belonging to this message.",
            {
                "config": text("Content of part to attach, either inline or by referencing a config.", required=True),
                "filename": text("Optional filename to associate with part."),
                "type": one_of("Whether the part content is text or multipart.", "text", "multipart", default="text"),
                "subtype": text("Optional subtype to specify with the type."),
            },
            default=[],
        ),
    }

    def values(self, hand: Hand) -> dict[str, Any]:
        from tane.services.orchestration.store import software

        pieces: list[str] = []
        size = 0
        for one in hand.properties.get("parts") or []:
            content = str(one["config"])
            row = software.config(hand.tx, hand.stack.project_id, content) if len(content) == 36 else None
            if row is not None:
                content = str(row.config)
            size += len(content)
            if size > mime.MOST_BYTES:
                raise BadRequest(f"parts: they have at most {mime.MOST_BYTES} characters together.")
            if one.get("type") == "multipart":
                pieces += mime.parts_of(content)
            else:
                pieces.append(
                    mime.text_part(content, one.get("subtype") or _subtype(content), one.get("filename") or "")
                )
        return {**super().values(hand), "config": mime.whole(pieces)}


def _subtype(content: str) -> str:
    """What cloud-init makes of a text, by its first line."""
    kinds = {
        "#cloud-config": "cloud-config",
        "#!": "x-shellscript",
        "#include": "x-include-url",
        "#cloud-boothook": "cloud-boothook",
    }
    return next((kind for start, kind in kinds.items() if content.startswith(start)), "plain")


class SoftwareDeployment(Kind):
    name = "OS::Heat::SoftwareDeployment"
    description = "This resource associates a server with some configuration."
    structured = False
    deaf = ()
    properties = {
        "config": text(
            "ID of software configuration resource to execute when applying to the server.", update="in_place"
        ),
        "server": text("ID of resource to apply configuration to.", required=True),
        "input_values": mapping(
            "Input values to apply to the software configuration on this server.", update="in_place"
        ),
        "actions": Property(
            type="list",
            default=["CREATE", "UPDATE"],
            constraints=(AllowedValues(allowed=ACTIONS),),
            update="in_place",
            description="Which lifecycle actions of the resource trigger the deployment.",
        ),
        "name": text("Name of the derived config associated with this deployment.", update="in_place"),
        "signal_transport": one_of(
            "How the server should signal to heat with the deployment output values.",
            *("CFN_SIGNAL", "TEMP_URL_SIGNAL", "HEAT_SIGNAL", "NO_SIGNAL", "ZAQAR_SIGNAL"),
            default="CFN_SIGNAL",
        ),
    }
    attributes = shown({"deploy_stdout": "string", "deploy_stderr": "string", "deploy_status_code": "string"})

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if properties.get("signal_transport") == "ZAQAR_SIGNAL":
            raise NotImplementedHere(f"Signals of the kind {properties.get('signal_transport')} are not done yet.")

    def create(self, hand: Hand) -> str | None:
        return self._deploy(hand, "CREATE")

    def _deploy(self, hand: Hand, action: str) -> str | None:
        """Give the guest what it has to do at an action, if that is anything; the deployment's id. As in Heat there is
        no deployment before the first action at which there is something to do."""
        from tane.services.orchestration.domain import software
        from tane.services.orchestration.store import software as rows

        source, row = self._source(hand), self._row(hand)
        if action not in self._actions(hand, source):
            return None if row is None else str(row.id)
        hand.may(*(("POST", "/software_deployments") if row is None else ("PUT", f"/software_deployments/{row.id}")))
        waits = hand.properties["signal_transport"] != "NO_SIGNAL"
        before = hand.row.data.get("derived")
        values = {
            "config_id": self._derived(hand, action, source),
            "action": action,
            "status": "IN_PROGRESS" if waits else "COMPLETE",
            "reason": "Deploy data available" if waits else "Not waiting for outputs signal",
        }
        if row is None:
            whose = {"server_id": str(hand.properties["server"])[:36], "stack_user_project_id": hand.stack.project_id}
            made = software.insert_deployment(hand.tx, hand.stack.project_id, {**whose, **values, "input_values": {}})
            return str(made.id)
        software.change_deployment(hand.tx, row, **values)
        if before and not rows.used(hand.tx, before):
            rows.remove_config(hand.tx, before)
        return str(row.id)

    def _source(self, hand: Hand) -> Any:
        """The configuration that is deployed. :raises BadRequest: there is none of this id."""
        from tane.services.orchestration.store import software as rows

        wanted = hand.properties.get("config")
        source = rows.config(hand.tx, hand.stack.project_id, str(wanted or ""))
        if wanted and source is None:
            raise BadRequest(f"Software config with id {wanted} not found")
        return source

    def _actions(self, hand: Hand, source: Any) -> list[str]:
        """Those at which a guest has something to do; a component says so of each of its configurations."""
        if source is not None and source.group == COMPONENT:
            return [action for one in source.config["configs"] for action in one["actions"]]
        return list(hand.properties["actions"])

    def _inputs(self, hand: Hand, source: Any) -> list[dict[str, Any]]:
        """The inputs of a configuration with their values, those that it does not declare last."""
        given = dict(hand.properties.get("input_values") or {})
        inputs = []
        for one in source.inputs if source is not None else []:
            value = given.pop(one["name"], one.get("default"))
            inputs.append({**one, "value": value})
        return inputs + [{"name": name, "type": "String", "value": value} for name, value in given.items()]

    def _derived(self, hand: Hand, action: str, source: Any) -> str:
        """The configuration with the values of its inputs, and with what every deployment is told."""
        from tane.services.orchestration.domain import software

        told = {
            "deploy_server_id": str(hand.properties["server"]),
            "deploy_action": action,
            "deploy_stack_id": f"{hand.stack.name}/{hand.stack.id}",
            "deploy_resource_name": hand.row.name,
            "deploy_signal_transport": hand.properties["signal_transport"],
        }
        if hand.properties["signal_transport"] != "NO_SIGNAL":
            # The address proves itself, whatever the transport is called.
            told |= {"deploy_signal_id": hand.signal_url(), "deploy_signal_verb": "POST"}
        inputs = self._inputs(hand, source)
        inputs += [{"name": name, "type": "String", "value": value} for name, value in told.items()]
        values: dict[str, Any] = {
            "name": hand.properties.get("name") or hand.physical_name(),
            "group": source.group if source is not None else "Heat::Ungrouped",
            "config": self.configuration(source, inputs, hand),
            "inputs": inputs,
            "outputs": source.outputs if source is not None else [],
            "options": source.options if source is not None else {},
        }
        if values["group"] == COMPONENT:
            now: dict[str, Any] = next((one for one in source.config["configs"] if action in one["actions"]), {})
            values |= {"group": now.get("tool", "Heat::Ungrouped"), "config": now.get("config") or ""}
        made = str(software.insert_config(hand.tx, hand.stack.project_id, values).id)
        hand.keep(derived=made)
        return made

    def configuration(self, source: Any, inputs: list[Any], hand: Hand) -> Any:
        return source.config if source is not None else ""

    def _row(self, hand: Hand) -> Any:
        return _deployment(hand.tx, hand.row)

    def ready(self, hand: Hand) -> bool:
        if hand.row.physical_id is None:
            return True
        row = self._row(hand)
        if row is None or row.status == "FAILED":
            raise Failed(f"Deployment to server failed: {row.reason if row is not None else 'it is gone'}")
        return bool(row.status == "COMPLETE")

    def waits(self, hand: Hand) -> Wait:
        if hand.row.action == "DELETE" and hand.row.expires_at is None:
            # Nobody tells when a server goes behind the stack's back.
            hand.change(expires_at=hand.tx.now + SERVER_TIME)
        row = hand.row
        return Wait(math.inf, f"deployment:{row.physical_id}", unless=lambda tx: not _in_progress(tx, row))

    def stopped(self, tx: Tx, core: Core, row: Any) -> None:
        from tane.services.orchestration.store import software

        if _in_progress(tx, row):
            software.change_deployment(tx, row.physical_id, status="FAILED", reason=row.reason, updated_at=tx.now)

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        from tane.services.orchestration.store import software

        if hand.row.physical_id is not None and self._row(hand) is None:
            raise Replace
        before = software.config(hand.tx, hand.stack.project_id, str(hand.row.data.get("derived") or ""))
        known = {one["name"]: one.get("value") for one in before.inputs} if before is not None else {}
        for one in self._inputs(hand, self._source(hand)):
            if one.get("replace_on_change") and known.get(one["name"], one["value"]) != one["value"]:
                raise Replace
        hand.change(physical_id=self._deploy(hand, "UPDATE"))

    def suspend(self, hand: Hand) -> None:
        hand.change(physical_id=self._deploy(hand, "SUSPEND"))

    def resume(self, hand: Hand) -> None:
        hand.change(physical_id=self._deploy(hand, "RESUME"))

    def turned(self, hand: Hand, action: str) -> bool:
        return action not in ("SUSPEND", "RESUME") or self.ready(hand)

    def delete(self, hand: Hand) -> None:
        """The guest does what it has to do at this first. One that could not is not asked again: the next deletion
        goes on without it (Heat asks each time)."""
        row = self._row(hand)
        if row is not None:
            hand.may("DELETE", f"/software_deployments/{row.id}")
        if (row is None or row.action != "DELETE") and self._parts(hand):
            hand.change(physical_id=self._deploy(hand, "DELETE"))
        elif row is None or row.status != "IN_PROGRESS" or row.action != "DELETE":
            self._remove(hand)

    def _parts(self, hand: Hand) -> bool:
        """Whether a guest has something to do when the deployment goes, and tells when it has done it."""
        from tane.services.orchestration.store import software

        if hand.properties.get("signal_transport", "NO_SIGNAL") == "NO_SIGNAL":
            return False
        wanted = hand.properties.get("config")
        source = software.config(hand.tx, hand.stack.project_id, str(wanted or ""))
        if wanted and source is None:
            return False
        return "DELETE" in self._actions(hand, source) and _answers(hand)

    def gone(self, hand: Hand) -> bool:
        row = self._row(hand)
        if row is None:
            return True
        if row.status == "FAILED":
            raise Failed(f"Deployment to server failed: {row.reason}")
        if row.status == "IN_PROGRESS" and _answers(hand):
            return False
        self._remove(hand)
        return True

    def _remove(self, hand: Hand) -> None:
        from tane.services.orchestration.store import software

        if (row := self._row(hand)) is not None:
            software.remove_deployment(hand.tx, row.id)
        derived = hand.row.data.get("derived")
        if derived and not software.used(hand.tx, derived):
            software.remove_config(hand.tx, derived)

    def knows(self, attribute: str) -> bool:
        return True

    def attribute(self, hand: Hand, name: str) -> Any:
        row = self._row(hand)
        return None if row is None else row.output_values.get(name)

    def signal(self, hand: Hand, details: Mapping[str, Any]) -> Any:
        from tane import jobs
        from tane.services.orchestration.domain import software

        row = self._row(hand)
        if row is None:
            raise BadRequest("The deployment is gone.")
        status, outputs, reason = software.reported(hand.tx, row, details)
        software.change_deployment(hand.tx, row, status=status, reason=reason, output_values=outputs)
        jobs.wake(hand.tx, f"deployment:{row.id}")
        return f"deployment {row.id} {'failed' if status == 'FAILED' else 'succeeded'}"


def _deployment(tx: Any, row: Any) -> Any:
    """The deployment of a resource, which is of the same project."""
    from tane.services.orchestration.store import software

    return None if row.physical_id is None else software.deployment(tx, row.project_id, row.physical_id)


def _answers(hand: Hand) -> bool:
    """Whether the server of a deployment is there; one that somebody else made is none that is waited for."""
    try:
        found = hand.call("compute", "GET", f"/v2.1/servers/{part(str(hand.properties['server']))}")["server"]
    except NotFound:
        return False
    return bool(found["status"] != "ERROR")


def _in_progress(tx: Any, row: Any) -> bool:
    found = _deployment(tx, row)
    return found is not None and found.status == "IN_PROGRESS"


class StructuredDeployment(SoftwareDeployment):
    name = "OS::Heat::StructuredDeployment"
    description = "A resource which has same logic with OS::Heat::SoftwareDeployment, of a map."
    properties = {
        **SoftwareDeployment.properties,
        "input_key": text("Name of key to use for substituting inputs during deployment.", default="get_input"),
        "input_values_validate": one_of("Perform a check on the input values passed.", "LAX", "STRICT", default="LAX"),
    }

    def configuration(self, source: Any, inputs: list[Any], hand: Hand) -> Any:
        values = {one["name"]: one.get("value") for one in inputs}
        strict = hand.properties["input_values_validate"] == "STRICT"
        return _filled(source.config if source is not None else {}, hand.properties["input_key"], values, strict=strict)


def _filled(value: Any, key: str, values: Mapping[str, Any], *, strict: bool = False) -> Any:
    """A structure in which ``{key: NAME}`` became the value of the input. :raises BadRequest: when ``strict``, there is
    no such input."""
    if isinstance(value, Mapping):
        if list(value) == [key] and isinstance(value[key], str):
            if strict and value[key] not in values:
                raise BadRequest(f"The Parameter ({value[key]}) was not provided.", type="UserParameterMissing")
            return values.get(value[key])
        return {name: _filled(item, key, values, strict=strict) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, key, values, strict=strict) for item in value]
    return value
