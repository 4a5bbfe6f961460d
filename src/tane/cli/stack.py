"""``tane stack``: what a template would do to a stack before it does, and what has become of a stack since."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tane.cli.client import CallError, Client
from tane.cli.common import DEFAULT_STATE, State, plain
from tane.cli.options import StateOption

NOTHING, CHANGES = 0, 2
"""How the commands end; 1 is that of mistakes."""
SIGNS = {"added": "+", "updated": "~", "replaced": "-/+", "deleted": "-"}
WORDS = {"added": "to create", "updated": "to change in place", "replaced": "to replace", "deleted": "to delete"}
STATES = {"MODIFIED": "modified", "DELETED": "gone", "IN_SYNC": "as they were set", "NOT_CHECKED": "not checked"}
LONGEST = 200
"""Characters of a value that are shown."""

app = typer.Typer(no_args_is_help=True, help="What a template would do to a stack, and what has become of one.")

UserOption = Annotated[
    str, typer.Option("--user", help="Who asks; the password is that of OS_PASSWORD. Without it the administrator.")
]
ProjectOption = Annotated[
    str, typer.Option("--project", help="The project whose stack it is; what the shell says (OS_…) counts for nothing.")
]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The template, HOT or CloudFormation's.")]
EnvironmentOption = Annotated[
    list[Path] | None, typer.Option("--environment", "-e", metavar="ENV", help="An environment; may be repeated.")
]
ParameterOption = Annotated[
    list[str] | None, typer.Option("--parameter", "-P", metavar="NAME=VALUE", help="May be repeated.")
]
StackOption = Annotated[str, typer.Option("--stack", metavar="NAME", help="The stack; else it is called as the file.")]
ConvergeOption = Annotated[
    bool, typer.Option("--converge", help="As an update that mends what has become of its resources, too.")
]
ExistingOption = Annotated[
    bool, typer.Option("--existing", help="What is not given is as the stack has it: parameters, environment.")
]


@app.command()
def plan(
    file: FileArgument,
    environment: EnvironmentOption = None,
    parameter: ParameterOption = None,
    stack: StackOption = "",
    converge: ConvergeOption = False,
    existing: ExistingOption = False,
    user: UserOption = "admin",
    project: ProjectOption = "admin",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Print what a template would create, change in place, replace and delete, and why. Nothing is done.

    Ends with 0 where there is nothing to do, with 2 where there are changes, with 1 where it cannot tell.
    """
    name = stack or _named(file)
    body = {**_template(file, environment or []), "parameters": _parameters(parameter or []), "converge": converge}
    with _client(state, user, project) as client:
        found = _find(client, name)
        if found is None:
            asked = f"/orchestration/v1/{client.project_id}/stacks/preview"
            told = client.call("POST", asked, {**body, "stack_name": name})["stack"]["resources"]
            lines = list(_created(told))
            there = f"There is no stack {plain(name)} in the project {plain(project)}"
            head = f"{there}: it would be created, with {len(lines)} resources."
        else:
            # PATCH takes what is not given from the stack, as an update with --existing does.
            asked = f"{found}/preview?show_nested=true"
            changes = client.call("PATCH" if existing else "PUT", asked, body)["resource_changes"]
            lines = list(_changed(changes))
            counts = [f"{len(changes[what])} {word}" for what, word in WORDS.items() if changes[what]]
            told = ", ".join([*counts, f"{len(changes['unchanged'])} unchanged"])
            head = f"The stack {plain(name)}: {told}."
    _print(head, lines)
    raise typer.Exit(CHANGES if lines or found is None else NOTHING)


@app.command()
def drift(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The stack's name.")],
    user: UserOption = "admin",
    project: ProjectOption = "admin",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Compare the resources of a stack with what its template set: which are gone, which properties are others by now,
    and what would mend that.

    Ends with 0 where all is as it was set, with 2 where something is not, with 1 where it cannot tell.
    """
    with _client(state, user, project) as client:
        found = _find(client, name)
        if found is None:
            sys.exit(f"tane: there is no stack {plain(name)} in the project {plain(project)}")
        told = client.call("GET", f"{found}/drift")["drift"]
    counts = told["counts"]
    head = ", ".join(f"{counts[word]} {text}" for word, text in STATES.items() if counts[word])
    _print(f"The stack {plain(name)}: {head or 'no resources'}.", list(_drifted(told["resources"])))
    if told["stack_drift_status"] == "IN_SYNC":
        raise typer.Exit(NOTHING)
    if any(one["mend"]["action"] not in (None, "none") for one in told["resources"]):
        print(f"\nTo mend it: ./tane openstack stack update --existing --converge {plain(name)}")
    raise typer.Exit(CHANGES)


def _named(file: Path) -> str:
    """A name that a stack may have: it begins with a letter."""
    found = re.sub(r"[^\w.-]", "-", file.name.partition(".")[0], flags=re.ASCII)
    return found if found[:1].isalpha() else f"stack-{found}"


@contextmanager
def _client(state: Path, user: str, project: str) -> Iterator[Client]:
    """The cloud's APIs; exits with what it tells where it refuses something."""
    files = State.of(state)
    files.require()
    if not files.running():
        sys.exit(f"tane: no cloud runs in {files.folder}: start it with ./tane up")
    password = files.admin_password() if user == "admin" else os.environ.get("OS_PASSWORD", "")
    if not password:
        sys.exit(f"tane: the password of {plain(user)} is looked for in OS_PASSWORD")
    try:
        yield files.client(user, password, project)
    except CallError as error:
        sys.exit(f"tane: {plain(error.told or str(error))}")


def _find(client: Client, name: str) -> str | None:
    """The path of the stack with a name; None where there is none."""
    root = f"/orchestration/v1/{client.project_id}/stacks"
    listed = client.call("GET", f"{root}?name={quote(name, safe='')}")["stacks"]
    return f"{root}/{quote(name, safe='')}/{listed[0]['id']}" if listed else None


# ------------------------------------------------------------------------------------------------------- what is sent


def _template(file: Path, environments: Sequence[Path]) -> dict[str, Any]:
    """A template with its environments and the files that these name, as ``openstack stack create`` sends them: a
    stack that was made by that is compared with the same."""
    try:
        from heatclient.common import template_utils
        from heatclient.exc import CommandError
    except ImportError:
        sys.exit("tane: python-heatclient is not installed; run this as ./tane stack")
    listed: list[str] = []
    try:
        files, template = template_utils.get_template_contents(template_file=str(file))
        more, environment = template_utils.process_multiple_environments_and_files(
            env_paths=[str(one) for one in environments], env_list_tracker=listed
        )
        texts = {name: _text(content) for name, content in {**files, **more}.items()}
    except (CommandError, OSError, ValueError) as error:
        sys.exit(f"tane: {plain(' '.join(_unread(error).split()))}")
    body = {"template": _as_written(file, template), "files": texts, "environment": environment}
    return {**body, "environment_files": listed} if listed else body


def _as_written(file: Path, template: dict[str, Any]) -> str | dict[str, Any]:
    """The text, so that mistakes are told with their lines, where the client has put no addresses of files into it."""
    from heatclient.common import template_format

    text = file.read_text()
    return text if template_format.parse(text) == template else template


def _unread(error: Exception) -> str:
    """A file that cannot be read is told as such, also where it was opened as an address."""
    found = getattr(error, "reason", error)
    return f"{found.filename}: {found.strerror}" if isinstance(found, OSError) and found.filename else str(error)


def _text(content: str | bytes) -> str:
    """:raises ValueError: it is no text."""
    return content if isinstance(content, str) else content.decode()


def _parameters(given: Sequence[str]) -> dict[str, str]:
    wrong = [one for one in given if "=" not in one]
    if wrong:
        sys.exit(f"tane: a parameter is given as NAME=VALUE, not as {plain(wrong[0])}")
    return {name: value for name, _, value in (one.partition("=") for one in given)}


# ------------------------------------------------------------------------------------------------------ what is shown

Line = tuple[str, str, str, str]
"""Sign, name, type, why."""


def _created(told: Sequence[Any], within: str = "") -> Iterator[Line]:
    """Nested stacks are lists in the list."""
    for one in told:
        if isinstance(one, list):
            yield from _created(one, within)
        else:
            parent = f"{one['parent_resource']}/" if one.get("parent_resource") else ""
            yield ("+", f"{parent}{one['resource_name']}", one["resource_type"], "")


def _changed(changes: Mapping[str, Any]) -> Iterator[Line]:
    for what, sign in SIGNS.items():
        for one in changes[what]:
            yield (sign, _placed(one), one["resource_type"], _why(what, one))


def _placed(one: Mapping[str, Any]) -> str:
    """A name with that of the resource whose nested stack it is in."""
    return f"{one['parent_resource']}/{one['resource_name']}" if "parent_resource" in one else one["resource_name"]


def _why(what: str, one: Mapping[str, Any]) -> str:
    if what == "added":
        return "the template has it anew"
    if what == "deleted":
        return "the template has it no more"
    if one["refused_reason"]:
        return f"refused: {one['refused_reason']}"
    if one["previous_type"]:
        return f"it is of type {one['previous_type']}"
    if what == "updated":
        changed = one["changed_properties"]
        return f"changes: {', '.join(changed)}" if changed else "what is in it changes"
    if one["resource_status"] == "FAILED":
        return f"it failed ({one['resource_status_reason']})"
    if one["replacing_properties"]:
        return f"no change in place is possible of: {', '.join(one['replacing_properties'])}"
    return "it is gone"


def _drifted(told: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    for one in told:
        name = _placed(one)
        mend = one["mend"]["reason"]
        if one["drift_status"] == "DELETED":
            yield ("-", name, one["resource_type"], f"gone: {one['drift_status_reason']} {mend}")
        elif one["drift_status"] == "MODIFIED":
            said = [_differs(difference) for difference in one["differences"]] or [one["drift_status_reason"]]
            yield ("~", name, one["resource_type"], f"{'; '.join(said)} {mend}".strip())


def _differs(one: Mapping[str, Any]) -> str:
    said = f"{one['property']} was set to {_value(one['expected'])} and is {_value(one['actual'])}."
    return f"{said} {one['unmended']}" if one["unmended"] else said


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _print(head: str, lines: Sequence[Line]) -> None:
    print(head)
    widths = [max((len(plain(line[place])) for line in lines), default=0) for place in range(3)]
    for line in lines:
        cells = [plain(text).ljust(width) for text, width in zip(line, widths, strict=False)]
        print(f"  {'  '.join([*cells, plain(line[3])])}".rstrip())
