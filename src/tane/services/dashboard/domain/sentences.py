"""What the APIs say when they refuse, in the user's language.

Their sentences are OpenStack's, in English; the most usual are known here by their form. Others are shown as they came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from tane.services.dashboard.domain.messages import DEFAULT, N_, Words

LONGEST = 1000
"""Characters of a sentence that is looked at; a longer one is shown as it is."""
FORMS = (
    N_("{field}: a value is required."),
    N_("{field}: '{value}' is not a whole number."),
    N_("{field}: '{value}' is not a number."),
    N_("{field}: '{value}' is not of the form name=value."),
    N_("{field}: the file is not text in UTF-8."),
    N_("Invalid input: '{field}' is a required property of '{where}'."),
    N_("Invalid input: '{field}' is a required property."),
    N_("Invalid input for field/attribute {field}. Expected `{wanted}`, got `{given}`"),
    N_("Invalid input for field/attribute {field}. Expected `str` of length >= {least}"),
    N_("Invalid input for field/attribute {field}. Expected `str` of length <= {most}"),
    N_("Invalid input for field/attribute {field}. Expected `str` matching regex {pattern}"),
    N_("Invalid input for field/attribute {field}. Expected `int` >= {least}"),
    N_("Invalid input for field/attribute {field}. Expected `int` <= {most}"),
    N_("Invalid input for field/attribute {field}. Invalid enum value {value}"),
    N_("Invalid input for field/attribute {field}. The character NUL is not allowed."),
    N_("Invalid input for field/attribute {field}. It is too long: at most {most} bytes are kept."),
    N_("Invalid input for {field}. Reason: {why}"),
    N_("Invalid input received: {why}"),
    N_("Value should be {least} to {most}."),
    N_("Quota exceeded for resources: ['{what}']."),
    N_("Quota exceeded for {what}: Requested {asked}, but already used {used} of {most} {what_again}"),
    N_("Quota exceeded, too many {what}."),
    N_("The request is too large: it would keep others waiting for more than {seconds} seconds. Ask for less at once."),
    N_("Maximum number of {what} allowed ({most}) exceeded for quota '{quota}'."),
    N_("Maximum number of {what} allowed ({most}) exceeded"),
    N_("Requested volume size {size}G is larger than maximum allowed limit {most}G."),
    N_(
        "Requested volume or snapshot exceeds allowed {quota} quota. Requested {asked}, quota is {most} and {used} has "
        "been consumed."
    ),
    N_("Policy doesn't allow {rule} to be performed."),
    N_("You are not authorized to perform the requested action: {rule}."),
    N_("You are not authorized to complete {rule} action."),
    N_("Cannot '{action}' instance {id} while it is in vm_state {state}"),
    N_("Cannot '{action}' instance {id} while it is in task_state {state}"),
    N_("Instance {id} is locked"),
    N_("Instance {id} is not ready"),
    N_("Unavailable console type {type}."),
    N_("Job {id} has ended: order again what it was to do."),
    N_("Job {id} runs already."),
    N_("Job {id} comes after job {other} of the same resource."),
    N_("Job {id} waits for host {host}, and goes on when that is back."),
    N_("Job {id} could not be found."),
    N_("Instance {id} could not be found."),
    N_("Image {id} could not be found."),
    N_("Flavor {id} could not be found."),
    N_("Network {id} could not be found."),
    N_("Subnet {id} could not be found."),
    N_("Router {id} could not be found."),
    N_("Port {id} could not be found."),
    N_("Volume {id} could not be found."),
    N_("Snapshot {id} could not be found."),
    N_("Backup {id} could not be found."),
    N_("Security group {id} does not exist."),
    N_("Could not find {what}: {id}."),
    N_("No valid host was found. There are not enough hosts available. {why}."),
    N_("Multiple possible networks found, use a Network ID to be more specific."),
    N_("Invalid key_name provided."),
    N_("Key pair '{name}' already exists."),
    N_("Security Group {id} in use."),
    N_("Security group rule already exists. Rule id is {id}."),
    N_("Router {id} still has ports"),
    N_("Cannot detach a root device volume"),
    N_("Volume {id} status must be {wanted}, but current status is: {state}."),
    N_("Volume {id} is still attached, detach volume first."),
    N_("Volume size {size}GB cannot be smaller than the image minDisk size {least}GB."),
    N_("Volume size '{size}' must be an integer and greater than 0"),
    N_("Image {id} is protected and cannot be deleted."),
    N_("The resource could not be found."),
    N_("Not evaluated yet"),
    N_("Transition to {state} due to {count} samples {where} threshold, most recent: {value}"),
    N_("Remaining as {state} due to {count} samples {where} threshold, most recent: {value}"),
    N_("Stack {action} completed successfully"),
    N_("Stack {action} started"),
    N_("state changed"),
    N_("{count} server(s) are in error."),
    N_("{count} volume(s) are in error."),
    N_("Their fault field says why."),
    N_("{count} server(s) are of projects that were deleted."),
    N_("{count} volume(s) are of projects that were deleted."),
    N_("Nobody sees them, and nobody pays for them."),
    N_("Cut off: {hosts}."),
    N_("Nothing that these hosts say is believed, whatever is on them."),
    N_("Not heard of lately: {hosts}."),
    N_("What is on these hosts is out of reach, and nothing new comes to them."),
    N_("Subnet {name} ({range}) has no DNS server."),
    N_("Its servers resolve each other's names only."),
    N_("No host has the role network."),
    N_("Servers reach nothing outside, and no floating IP is reached."),
    N_("Too much of this runs already: {who}; try again later."),
    N_("The password does not match the requirements: {why}."),
)
"""Placeholders stand for what is in the sentence. The first that fits counts."""
FIELDS = {
    "name": N_("Name"),
    "description": N_("Description"),
    "cidr": N_("Address range"),
    "size": N_("Size"),
    "password": N_("Password"),
    "image": N_("Image"),
    "flavor": N_("Flavor"),
    "networks": N_("Networks"),
    "threshold": N_("Threshold"),
}
"""What forms call a field that sentences name."""
COUNTED = {
    "instances": N_("Servers"),
    "cores": N_("vCPUs"),
    "ram": N_("Memory (MiB)"),
    "volumes": N_("Volumes"),
    "gigabytes": N_("Volume space (GiB)"),
    "snapshots": N_("Snapshots"),
    "backups": N_("Backups of volumes"),
    "network": N_("Networks"),
    "subnet": N_("Subnets"),
    "port": N_("Ports"),
    "router": N_("Routers"),
    "floatingip": N_("Floating IPs"),
    "security_group": N_("Security groups"),
    "security_group_rule": N_("Rules"),
}
"""What quotas bind, by the names that sentences have."""
TITLES = (
    N_("Bad Request"),
    N_("Unauthorized"),
    N_("Forbidden"),
    N_("Not Found"),
    N_("Conflict"),
    N_("Precondition Failed"),
    N_("Request Entity Too Large"),
    N_("Over Limit"),
    N_("Internal Server Error"),
    N_("Not Implemented"),
    N_("Service Unavailable"),
)
"""Of errors, as HTTP calls them."""
STATES = {
    "inside": N_("inside"),
    "outside": N_("outside"),
    "alarm": N_("alarm"),
    "ok": N_("ok"),
    "insufficient data": N_("insufficient data"),
    "available": N_("available"),
    "in-use": N_("in-use"),
    "error": N_("error"),
}
"""Words that stand in sentences for a state."""


@cache
def _split() -> tuple[tuple[str, list[str]], ...]:
    return tuple((form, re.split(r"{(\w+)}", form)) for form in FORMS)


def values_in(parts: Sequence[str], text: str) -> dict[str, str] | None:
    """What stands in a text for the placeholders of a form, of which ``parts`` are the fixed texts with the names in
    between; None where the text is not of it. Each value ends where what follows it first comes, so that a text is gone
    through once, whatever is in it: a pattern with several gaps takes seconds for a text made for that."""
    *begun, end = parts
    if not text.startswith(parts[0]) or not text.endswith(end) or (not begun and text != end):
        return None
    found, at = {}, len(parts[0])
    for place in range(1, len(parts), 2):
        last = place + 2 == len(parts)
        stop = len(text) - len(end) if last else text.find(parts[place + 1], at + 1)
        if stop <= at:
            return None
        found[parts[place]] = text[at:stop]
        at = stop + len(parts[place + 1])
    return found


def sentence(words: Words, text: str, labels: Mapping[str, str] | None = None) -> str:
    """What an API said, in the language of the page; as it came when it is of no form that is known.

    ``labels``: what a form calls the fields that the sentence may name.
    """
    if (words.language == DEFAULT and not labels) or len(text) > LONGEST or "\n" in text:
        return text
    for form, parts in _split():
        values = values_in(parts, text)
        if values is not None:
            if "field" in values:
                values["field"] = _label(words, values["field"], labels or {})
            if "why" in values:
                values["why"] = sentence(words, values["why"], labels)
            for name in {"what", "quota"} & set(values):
                values[name] = words(COUNTED[values[name]]) if values[name] in COUNTED else values[name]
            for name in {"where", "state", "wanted"} & set(values):
                values[name] = _state(words, values[name])
            return words(form, **values)
    return text


def _label(words: Words, name: str, labels: Mapping[str, str]) -> str:
    """A field by what its form calls it, of a path (``server.name``, ``/name``) by its end."""
    end = re.split(r"[./]", name)[-1]
    known = labels.get(name) or labels.get(end) or FIELDS.get(end)
    return words(known) if known else name


def _state(words: Words, text: str) -> str:
    several = text.split(" or ")
    known = all(one in STATES for one in several)
    return words(N_(" or ")).join(words(STATES[one]) for one in several) if known else text
