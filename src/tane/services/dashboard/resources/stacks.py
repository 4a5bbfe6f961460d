"""Stacks, and what a user holds to reach the cloud by other means."""

from __future__ import annotations

from typing import Any

from tane.services.dashboard.domain.describing import Action, Column, Field, Kind, Panel, Row, Values
from tane.services.dashboard.domain.forms import MOST_LINES
from tane.services.dashboard.domain.messages import N_

S = "/v1/{project}/stacks"
ONE = "/v1/{project}/stacks/{id:0}/{id:1}"
WITHIN = "/v1/{project}/stacks/{in:0}/{in:1}"

TEMPLATE = "portal-template.yaml"
TEMPLATE_FILE = Field("template_file", N_("Or the template from a file"), "file", into="template", to="-")
TAGS = Field("tags", N_("Tags"), "text", option="--tags", folded=True, help=N_("Parted by commas."))
CHANGED = (
    Field("template", N_("Template"), "area", required=True, option="--template", file=TEMPLATE),
    TEMPLATE_FILE,
    Field(
        "parameters",
        N_("Parameters"),
        "pairs",
        option="--parameter",
        help=N_(
            "One a line: name=value. One whose line is taken away goes back to its default. Hidden ones are not shown "
            "and stay as they are, as do files and the environment."
        ),
    ),
    TAGS,
)
"""What a change of a stack is made of, planned or done."""
MASK = "******"
"""What the API shows of a hidden parameter."""


def shown_parameters(row: Row) -> dict[str, str]:
    """The parameters of a stack that a form can hold: not hidden ones, not the API's own, none of several lines."""
    found = (row.get("parameters") or {}).items()
    held = [
        (name, value)
        for name, value in found
        if not name.startswith(("OS::", "AWS::"))
        and value != MASK
        and "=" not in name
        and kept_by_line(name)
        and kept_by_line(value or "-")
    ]
    return dict(held[:MOST_LINES])


def kept_by_line(text: str) -> bool:
    """Whether a name or value comes back from a line of a form as it was."""
    return text.splitlines() == [text.strip()]


def filled(row: Row, template: str) -> dict[str, str]:
    """What the form of a change begins with: what the stack is."""
    lines = "\n".join(f"{name}={value}" for name, value in shown_parameters(row).items())
    return {"template": template, "parameters": lines, "tags": ", ".join(row.get("tags") or ())}


def change(values: Values, row: Row) -> Any:
    """What is other than the stack is. What it has by its template's defaults is not sent: another template may have
    others."""
    had, wanted = shown_parameters(row), values.get("parameters", {})
    body = {
        "template": values["template"],
        "parameters": {name: value for name, value in wanted.items() if had.get(name) != value},
        "clear_parameters": sorted(had.keys() - wanted.keys()),
        "tags": ",".join(tag for part in values.get("tags", "").split(",") if (tag := part.strip())),
    }
    return {name: value for name, value in body.items() if value or name == "tags"}


def stack(values: Values, row: Row) -> Any:
    body: dict[str, Any] = {"template": values["template"]}
    for name, to in (
        ("stack_name", "stack_name"),
        ("parameters", "parameters"),
        ("timeout", "timeout_mins"),
        ("tags", "tags"),
    ):
        if name in values:
            body[to] = values[name]
    if "environment" in values:
        body["environment"] = values["environment"]
    if "keep" in values:
        body["disable_rollback"] = values["keep"]
    return body


def moment(text: str) -> str:
    """A day as the moment in which it begins, without a zone: UTC, as the client takes it."""
    return f"{text}T00:00:00" if len(text) == 10 else text.removesuffix("Z")


def credential(values: Values, row: Row) -> Any:
    body: dict[str, Any] = {"name": values["name"]}
    if "description" in values:
        body["description"] = values["description"]
    if "expires_at" in values:
        body["expires_at"] = f"{moment(values['expires_at'])}Z"
    if "roles" in values:
        body["roles"] = [{"name": name} for name in values["roles"]]
    if values.get("unrestricted"):
        body["unrestricted"] = True
    return body


KINDS = (
    Kind(
        "stacks",
        N_("Stacks"),
        N_("Stack"),
        N_("Orchestration"),
        f"orchestration GET {S}",
        "stacks",
        (
            Column("stack_name", N_("Name"), "name"),
            Column("stack_status", N_("State"), "state"),
            Column("stack_status_reason", N_("Why"), "said"),
            Column("creation_time", N_("Created"), "time"),
            Column("updated_time", N_("Changed"), "time"),
        ),
        f"orchestration GET {ONE}",
        "stack",
        id="stack_name:id",
        label="stack_name",
        status="stack_status",
        event="orchestration.stack",
        command="openstack stack list",
        empty=N_("No stacks yet. A stack is a whole environment, made from a template and deleted at once."),
        details=(
            Column("stack_status", N_("State"), "state"),
            Column("stack_status_reason", N_("Why"), "said"),
            Column("description", N_("Description")),
            Column("parameters", N_("Parameters"), "json"),
            Column("outputs", N_("Outputs"), "outputs"),
            Column("tags", N_("Tags")),
            Column("creation_time", N_("Created"), "time"),
            Column("updated_time", N_("Changed"), "time"),
            Column("id", N_("ID"), "code"),
        ),
        panels=(Panel("stack-resources"), Panel("stack-snapshots"), Panel("stack-events")),
        special=(("graph", N_("Graph")), ("drift", N_("Drift")), ("template", N_("Template"))),
        create=Action(
            "create",
            N_("Create a stack"),
            f"orchestration POST {S}",
            fields=(
                Field("stack_name", N_("Name"), required=True, option="-"),
                Field(
                    "template",
                    N_("Template"),
                    "area",
                    required=True,
                    option="--template",
                    file=TEMPLATE,
                    help=N_("HOT or CloudFormation, YAML or JSON."),
                ),
                TEMPLATE_FILE,
                Field("parameters", N_("Parameters"), "pairs", option="--parameter", help=N_("One a line: name=value")),
                Field(
                    "environment",
                    N_("Environment"),
                    "area",
                    option="--environment",
                    file="portal-environment.yaml",
                    folded=True,
                ),
                Field(
                    "timeout", N_("Minutes it may take"), "number", option="--timeout", folded=True, to="timeout_mins"
                ),
                Field(
                    "keep",
                    N_("Keep what was made when it fails"),
                    "bool",
                    option="+",
                    off="--enable-rollback",
                    folded=True,
                ),
                TAGS,
            ),
            build=stack,
            planned=True,
            command="openstack stack create",
        ),
        actions=(
            Action(
                "check",
                N_("Check its resources"),
                f"orchestration POST {ONE}/actions",
                "check",
                quick=True,
                command="openstack stack check {id}",
            ),
            Action(
                "suspend",
                N_("Suspend"),
                f"orchestration POST {ONE}/actions",
                "suspend",
                help=N_("Its servers and all else that can be are suspended until it is resumed."),
                when=lambda row: not str(row.get("stack_status")).startswith("SUSPEND"),
                command="openstack stack suspend {id}",
            ),
            Action(
                "resume",
                N_("Resume"),
                f"orchestration POST {ONE}/actions",
                "resume",
                quick=True,
                when=lambda row: str(row.get("stack_status")).startswith("SUSPEND"),
                command="openstack stack resume {id}",
            ),
            Action(
                "plan",
                N_("Plan an update"),
                f"orchestration PATCH {ONE}/preview",
                fields=CHANGED,
                build=change,
                special="plan",
                help=N_("Shows what would be created, changed, replaced and deleted. Nothing is done yet."),
                command="openstack stack update {id} --existing --dry-run",
            ),
            Action(
                "update",
                N_("Update"),
                f"orchestration PATCH {ONE}",
                fields=CHANGED,
                build=change,
                command="openstack stack update {id} --existing",
            ),
            Action(
                "delete",
                N_("Delete"),
                f"orchestration DELETE {ONE}",
                danger=True,
                bulk=True,
                back="list",
                help=N_("All that it made is deleted with it."),
                command="openstack stack delete {id}",
            ),
        ),
    ),
    Kind(
        "stack-resources",
        N_("Resources"),
        N_("Resource"),
        N_("Orchestration"),
        f"orchestration GET {WITHIN}/resources",
        "resources",
        (
            Column("resource_name", N_("Name"), "text"),
            Column("resource_type", N_("Type")),
            Column("resource_status", N_("State"), "state"),
            Column("resource_status_reason", N_("Why"), "said"),
            Column("physical_resource_id", N_("ID"), "code"),
        ),
        id="resource_name",
        label="resource_name",
        inner=True,
        paged=False,
        gone_to="stacks",
        command="openstack stack resource list {in}",
    ),
    Kind(
        "stack-snapshots",
        N_("Snapshots of it"),
        N_("Snapshot"),
        N_("Orchestration"),
        f"orchestration GET {WITHIN}/snapshots",
        "snapshots",
        (
            Column("name", N_("Name"), "text"),
            Column("status", N_("State"), "state"),
            Column("status_reason", N_("Why"), "said"),
            Column("creation_time", N_("Created"), "time"),
        ),
        inner=True,
        paged=False,
        gone_to="stacks",
        command="openstack stack snapshot list {in}",
        create=Action(
            "create",
            N_("Make a snapshot"),
            f"orchestration POST {WITHIN}/snapshots",
            fields=(Field("name", N_("Name"), option="--name"),),
            command="openstack stack snapshot create {in}",
        ),
        actions=(
            Action(
                "restore",
                N_("Restore"),
                f"orchestration POST {WITHIN}/snapshots/{{id}}/restore",
                danger=True,
                help=N_("The stack becomes what it was when this was made."),
                command="openstack stack snapshot restore {in} {id}",
            ),
            Action(
                "delete",
                N_("Delete"),
                f"orchestration DELETE {WITHIN}/snapshots/{{id}}",
                danger=True,
                command="openstack stack snapshot delete {in} {id}",
            ),
        ),
    ),
    Kind(
        "stack-events",
        N_("Events"),
        N_("Event"),
        N_("Orchestration"),
        f"orchestration GET {WITHIN}/events",
        "events",
        (
            Column("event_time", N_("When"), "time"),
            Column("resource_name", N_("Resource")),
            Column("resource_status", N_("State"), "state"),
            Column("resource_status_reason", N_("Why"), "said"),
        ),
        label="resource_name",
        inner=True,
        paged=False,
        gone_to="stacks",
        command="openstack stack event list {in}",
    ),
    Kind(
        "credentials",
        N_("Application credentials"),
        N_("Application credential"),
        N_("Access"),
        "identity GET /v3/users/{user}/application_credentials",
        "application_credentials",
        (
            Column("name", N_("Name"), "name"),
            Column("project_id", N_("Project"), "code"),
            Column("roles", N_("Roles"), "names"),
            Column("expires_at", N_("Expires"), "time"),
            Column("description", N_("Description")),
        ),
        "identity GET /v3/users/{user}/application_credentials/{id}",
        "application_credential",
        event="identity.application_credential",
        paged=False,
        command="openstack application credential list",
        empty=N_("No application credentials yet. Programs log in with one instead of your password."),
        create=Action(
            "create",
            N_("Create an application credential"),
            "identity POST /v3/users/{user}/application_credentials",
            "application_credential",
            fields=(
                Field("name", N_("Name"), required=True, option="-"),
                Field("description", N_("Description"), "text", option="--description"),
                Field("expires_at", N_("Expires"), "date", option="--expiration", said=moment),
                Field(
                    "roles", N_("Roles"), "list", option="--role", help=N_("Empty: all that you have on the project.")
                ),
                Field(
                    "unrestricted",
                    N_("It may make further credentials (dangerous)"),
                    "bool",
                    option="--unrestricted",
                    folded=True,
                ),
            ),
            build=credential,
            secret=N_("Keep this secret now: it is shown once."),
            command="openstack application credential create",
        ),
        actions=(
            Action(
                "delete",
                N_("Delete"),
                "identity DELETE /v3/users/{user}/application_credentials/{id}",
                danger=True,
                bulk=True,
                back="list",
                command="openstack application credential delete {id}",
            ),
        ),
    ),
)
