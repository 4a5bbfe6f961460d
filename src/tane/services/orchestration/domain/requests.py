"""What a request asks a stack to be: the template, the environment put together, tags and times."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tane.services.orchestration.domain.common import MOST_TAGS, NAME, TEMPLATE_BYTES, StackValidationFailed
from tane.services.orchestration.domain.plans import (
    Source,
    is_file,
    placed,
    read_environment,
    read_template,
    refused,
    registered,
)
from tane.services.orchestration.template import Environment, Template, TemplateError, merge_environments
from tane.web.errors import BadRequest, NotImplementedHere

MOST_FILES_BYTES = 8 * TEMPLATE_BYTES
MOST_ENVIRONMENTS = 100


class Asked(msgspec.Struct, kw_only=True):
    """The template and what belongs to it, as they came."""

    template: str | dict[str, Any] | None = None
    template_url: str | None = None
    files: Mapping[str, Any] | None = None
    environment: str | dict[str, Any] | None = None
    environment_files: Sequence[str] | None = None
    files_container: str | None = None
    parameters: Mapping[str, Any] | None = None


def source_of(asked: Asked) -> Source:
    """:raises BadRequest: there is no template, or something would have to be fetched.
    :raises StackValidationFailed:
    """
    if asked.template_url is not None and not asked.template:
        raise BadRequest(
            f"Could not retrieve template: {asked.template_url}: templates are not fetched, send them in 'template'."
        )
    if asked.files_container:
        raise NotImplementedHere("Files from a container of the object storage (files_container) are not done yet.")
    if not asked.template:
        raise BadRequest("No template specified")
    files = {str(name): _text(value) for name, value in (asked.files or {}).items()}
    if sum(map(len, files.values())) > MOST_FILES_BYTES:
        raise BadRequest(f"The files of a template have at most {MOST_FILES_BYTES} bytes together.")
    template = read_template(asked.template)
    environment = _environment(asked, files, template).document()
    # What the request itself gives comes last.
    environment["parameters"] = {**environment["parameters"], **(asked.parameters or {})}
    files = _without_environments(files, asked.environment_files or (), template.document)
    return Source(template=template.document, files=files, environment=_with_files(environment, template))


def _without_environments(files: Mapping[str, str], names: Sequence[str], template: Any) -> dict[str, str]:
    """Files that are environments are read, and not kept, as what is secret in an environment is not shown in files.
    What a template or another file names is kept all the same."""
    read = set(names)
    if not read:
        return dict(files)
    told = "\n".join([str(template), *(text for name, text in files.items() if name not in read)])
    return {name: text for name, text in files.items() if name not in read or name in told}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _environment(asked: Asked, files: Mapping[str, str], template: Template) -> Environment:
    whole = []
    if asked.environment:
        with placed(None, asked.environment):
            whole = [_sent_environment(asked.environment)]
    if asked.environment_files:
        if len(asked.environment_files) > MOST_ENVIRONMENTS:
            raise BadRequest(f"There are at most {MOST_ENVIRONMENTS} environment files.")
        missing = [name for name in asked.environment_files if name not in files]
        if missing:
            raise BadRequest(f"Environment file {missing[0]} is not among 'files'.")
        whole = [_environment_file(name, files[name]) for name in asked.environment_files]
    try:
        types = {name: declared.kind for name, declared in template.parameters.items()}
        return merge_environments(whole, types, asked.environment_files or ()) if whole else read_environment({})
    except TemplateError as error:
        raise refused(error) from None


def _environment_file(name: str, text: str) -> Environment:
    with placed(None, text, within=name):
        return _sent_environment(text)


def _sent_environment(text: str | Mapping[str, Any]) -> Environment:
    """:raises StackValidationFailed: it says what is not done here, and would be waited for in vain."""
    found = read_environment(text)
    if found.event_sinks:
        raise StackValidationFailed(
            "event_sinks: events are sent nowhere: there are no queues (Zaqar).", path="event_sinks", of_template=False
        )
    path = _late_hook(found.resource_registry, "resource_registry")
    if path is not None:
        words = f"{path}: hooks after a step (post-create, post-update, post-delete) are not done yet."
        raise StackValidationFailed(words, path=path, of_template=False)
    return found


def _late_hook(registry: Mapping[str, Any], path: str) -> str | None:
    for key, value in registry.items():
        below = f"{path}.{key}"
        if key == "hooks":
            named = [value] if isinstance(value, str) else value
            if any(str(one).startswith("post-") for one in named):
                return below
        elif isinstance(value, Mapping) and (found := _late_hook(value, below)) is not None:
            return found
    return None


def _with_files(environment: dict[str, Any], template: Template) -> dict[str, Any]:
    """Types that are files stand in the registry under their own names."""
    registry = environment["resource_registry"]
    # What is added below are the names at which mappings end: they lead nowhere else.
    read = read_environment(environment)
    for name, declared in template.resources.items():
        target = registered(read, declared.type, name) if registry else declared.type
        if is_file(target):
            registry.setdefault(target, target)
    return environment


def checked_name(name: str | None) -> str:
    if not name:
        raise BadRequest("No stack name specified")
    if not NAME.match(name):
        raise StackValidationFailed(
            f'Invalid stack name {name} must contain only alphanumeric or "_-." characters, must start with alpha and '
            "must be 255 characters or less."
        )
    return name


def checked_tags(text: str | None) -> list[str] | None:
    """Tags as they came: with commas between them."""
    if text is None:
        return None
    tags = [tag.strip() for tag in text.split(",")] if text else []
    for tag in tags:
        if not tag:
            raise BadRequest('Invalid tag, "" is not a valid tag: it is empty.')
        if len(tag) > 80:
            raise BadRequest(f'Invalid tag, "{tag}" is longer than 80 characters')
    if len(tags) > MOST_TAGS:
        raise BadRequest(f"A stack has at most {MOST_TAGS} tags.")
    return list(dict.fromkeys(tags))


def checked_minutes(value: int | str | None) -> int | None:
    """A time-out in minutes; 0, which clients send for less than a minute, says none, as in Heat.

    :raises BadRequest:
    """
    if value in (None, "", 0, "0"):
        return None
    text = str(value)
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise BadRequest(f"Only integer is allowed for the param timeout_mins: '{text}'")
    if int(text) < 1 or int(text) > 525_600:
        raise BadRequest(f"Invalid timeout value {text}")
    return int(text)


def patched(now: Source, asked: Asked, cleared: Sequence[str]) -> Source:
    """A source with what a PATCH gives: the template, files and environment of before where it gives none.

    ``cleared``: parameters that go back to their defaults.
    """
    before = {name: value for name, value in now.environment.get("parameters", {}).items() if name not in cleared}
    whole = msgspec.structs.replace(
        asked,
        template=asked.template or now.template,
        files={**now.files, **(asked.files or {})},
        environment={**now.environment, "parameters": before},
    )
    if asked.environment or asked.environment_files:
        told = {str(k): _text(v) for k, v in (whole.files or {}).items()}
        added = _environment(asked, told, read_template(whole.template or {})).document()
        merged = {**now.environment, "parameters": {**before, **added["parameters"]}}
        for name in ("parameter_defaults", "resource_registry"):
            merged[name] = {**merged.get(name, {}), **added[name]}
        new = _without_environments(told, asked.environment_files or (), whole.template)
        whole = msgspec.structs.replace(whole, environment=merged, environment_files=None, files=new)
    found = source_of(whole)
    declared = read_template(found.template).parameters
    kept = {
        name: value for name, value in found.environment["parameters"].items() if name in declared or name not in before
    }
    found.environment["parameters"] = kept
    return found
