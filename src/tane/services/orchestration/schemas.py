"""Request bodies of the orchestration API. Unknown fields are ignored, as the real service does."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from tane.web.codec import LooseBody, Text255

Document = str | dict[str, Any] | None
FileName = Annotated[str, Meta(max_length=1024)]
Reason = Annotated[str, Meta(max_length=4096)]


class Template(LooseBody):
    """A template with what belongs to it. ``files`` are all that it may refer to: nothing is fetched."""

    template: Document = None
    template_url: str | None = None
    files: dict[FileName, Any] | None = None
    environment: Document = None
    environment_files: list[FileName] | None = None
    files_container: str | None = None
    parameters: dict[str, Any] | None = None


class Stack(Template):
    stack_name: str | None = None
    disable_rollback: bool | UnsetType = UNSET
    delete_on_failure: bool = False
    timeout_mins: int | str | None = None
    tags: str | None = None
    adopt_stack_data: Document = None


class StackUpdate(Stack):
    converge: bool = False
    clear_parameters: list[str] | None = None


class Actions(LooseBody):
    """One key: the action."""

    check: Any = UNSET
    suspend: Any = UNSET
    resume: Any = UNSET
    cancel_update: Any = UNSET
    cancel_without_rollback: Any = UNSET
    snapshot: Any = UNSET


class Snapshot(LooseBody):
    name: Text255 | None = None


class MarkUnhealthy(LooseBody):
    mark_unhealthy: bool | UnsetType = UNSET
    resource_status_reason: Text255 = ""


class SoftwareConfig(LooseBody):
    name: Text255 = ""
    group: Text255 = "Heat::Ungrouped"
    config: Any = None
    inputs: list[dict[str, Any]] | None = None
    outputs: list[dict[str, Any]] | None = None
    options: dict[str, Any] | None = None


class SoftwareDeployment(LooseBody):
    id: Text255 | None = None
    config_id: Text255 = ""
    server_id: Annotated[str, Meta(max_length=36)] = ""
    action: Annotated[str, Meta(max_length=16)] = "CREATE"
    status: Annotated[str, Meta(max_length=16)] = "COMPLETE"
    status_reason: Reason = ""
    input_values: dict[str, Any] | None = None
    stack_user_project_id: Annotated[str, Meta(max_length=64)] | None = None


class SoftwareDeploymentChange(LooseBody):
    config_id: Text255 | UnsetType = UNSET
    action: Annotated[str, Meta(max_length=16)] | UnsetType = UNSET
    status: Annotated[str, Meta(max_length=16)] | UnsetType = UNSET
    status_reason: Reason | UnsetType = UNSET
    input_values: dict[str, Any] | UnsetType = UNSET
    output_values: dict[str, Any] | UnsetType = UNSET
