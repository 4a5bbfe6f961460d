"""Request bodies of the orchestration API. Unknown fields are ignored, as the real service does."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from tane.web.codec import LongText, LooseBody, Text255

MOST_FILES = 10_000
MOST = 1000
"""Entries of a list, sections of a document."""
Values = Annotated[dict[Text255, Any], Meta(max_length=MOST_FILES)]
Document = str | Annotated[dict[Text255, Any], Meta(max_length=MOST)] | None
"""As text, or parsed. Its size is the body's, and counts for what the project's stacks may keep."""
FileName = Annotated[str, Meta(max_length=1024)]
Reason = Annotated[str, Meta(max_length=4096)]


class Template(LooseBody):
    """A template with what belongs to it. ``files`` are all that it may refer to: nothing is fetched."""

    template: Document = None
    template_url: LongText | None = None
    files: Annotated[dict[FileName, Any], Meta(max_length=MOST_FILES)] | None = None
    environment: Document = None
    environment_files: Annotated[list[FileName], Meta(max_length=MOST)] | None = None
    files_container: FileName | None = None
    parameters: Values | None = None


class Stack(Template):
    stack_name: LongText | None = None
    disable_rollback: bool | UnsetType = UNSET
    delete_on_failure: bool = False
    timeout_mins: int | Text255 | None = None
    tags: LongText | None = None
    adopt_stack_data: Document = None


class StackUpdate(Stack):
    converge: bool = False
    clear_parameters: Annotated[list[Text255], Meta(max_length=MOST_FILES)] | None = None


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


Ports = Annotated[list[Annotated[dict[Text255, Any], Meta(max_length=MOST)]], Meta(max_length=MOST)]
"""Inputs, or outputs."""


class SoftwareConfig(LooseBody):
    name: Text255 = ""
    group: Text255 = "Heat::Ungrouped"
    config: Any = None
    inputs: Ports | None = None
    outputs: Ports | None = None
    options: Values | None = None


class SoftwareDeployment(LooseBody):
    id: Text255 | None = None
    config_id: Text255 = ""
    server_id: Annotated[str, Meta(max_length=36)] = ""
    action: Annotated[str, Meta(max_length=16)] = "CREATE"
    status: Annotated[str, Meta(max_length=16)] = "COMPLETE"
    status_reason: Reason = ""
    input_values: Values | None = None
    stack_user_project_id: Annotated[str, Meta(max_length=64)] | None = None


class SoftwareDeploymentChange(LooseBody):
    config_id: Text255 | UnsetType = UNSET
    action: Annotated[str, Meta(max_length=16)] | UnsetType = UNSET
    status: Annotated[str, Meta(max_length=16)] | UnsetType = UNSET
    status_reason: Reason | UnsetType = UNSET
    input_values: Values | UnsetType = UNSET
    output_values: Values | UnsetType = UNSET
