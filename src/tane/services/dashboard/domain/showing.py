"""How values of the API are shown: as text, with a link, as a state. Nothing here makes markup."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tane.services.dashboard.domain.describing import Column, Row, value_of
from tane.services.dashboard.domain.doings import OPERATIONS, STEPS
from tane.services.dashboard.domain.messages import N_, Words
from tane.services.dashboard.domain.sentences import sentence

LONGEST, LONGEST_FOLDED = 2000, 64 << 10
"""Characters of a value in a table; of one that is folded away there."""
FOLDED, BEGINNING = 200, 80
"""From how many characters on a value is folded, and how many are seen then."""

STATES = {
    "ok": N_("Well"),
    "warning": N_("Nearly spent"),
    "exceeded": N_("Spent"),
    "alarm": N_("Alarm"),
    "insufficient data": N_("Too little is known"),
    "active": N_("Active"),
    "available": N_("Available"),
    "build": N_("Being built"),
    "building": N_("Being built"),
    "creating": N_("Being created"),
    "deleted": N_("Deleted"),
    "deleting": N_("Being deleted"),
    "detaching": N_("Being detached"),
    "attaching": N_("Being attached"),
    "disabled": N_("Disabled"),
    "down": N_("Down"),
    "downloading": N_("Being filled"),
    "enabled": N_("Enabled"),
    "error": N_("Error"),
    "extending": N_("Being extended"),
    "finished": N_("Finished"),
    "in-use": N_("In use"),
    "migrating": N_("Migrating"),
    "password": N_("Setting the password"),
    "paused": N_("Paused"),
    "queued": N_("Waiting for data"),
    "reboot": N_("Rebooting"),
    "rebuild": N_("Being rebuilt"),
    "rescue": N_("Rescue"),
    "resize": N_("Being resized"),
    "revert_resize": N_("Being resized back"),
    "saving": N_("Being saved"),
    "shelved": N_("Shelved"),
    "shelved_offloaded": N_("Shelved"),
    "shutoff": N_("Off"),
    "suspended": N_("Suspended"),
    "up": N_("Up"),
    "uploading": N_("Being uploaded"),
    "verify_resize": N_("Resized, to be confirmed"),
    "awaiting-transfer": N_("Offered for transfer"),
    "backing-up": N_("Being backed up"),
    "error_restoring": N_("Restoring failed"),
    "restoring": N_("Being restored"),
    "restoring-backup": N_("Being restored"),
    "create_complete": N_("Creation complete"),
    "create_failed": N_("Creation failed"),
    "create_in_progress": N_("Being created"),
    "delete_failed": N_("Deletion failed"),
    "delete_in_progress": N_("Being deleted"),
    "update_complete": N_("Updated"),
    "update_failed": N_("Update failed"),
    "update_in_progress": N_("Being updated"),
    "delete_complete": N_("Deleted"),
    "check_complete": N_("Checked"),
    "check_failed": N_("The check found something"),
    "check_in_progress": N_("Being checked"),
    "suspend_complete": N_("Suspended"),
    "suspend_failed": N_("Suspending failed"),
    "suspend_in_progress": N_("Being suspended"),
    "resume_complete": N_("Resumed"),
    "resume_failed": N_("Resuming failed"),
    "resume_in_progress": N_("Being resumed"),
    "rollback_complete": N_("Rolled back"),
    "rollback_failed": N_("Rolling back failed"),
    "rollback_in_progress": N_("Being rolled back"),
    "snapshot_complete": N_("Snapshot made"),
    "snapshot_failed": N_("The snapshot failed"),
    "snapshot_in_progress": N_("Snapshot being made"),
    "restore_complete": N_("Restored"),
    "restore_failed": N_("Restoring failed"),
    "restore_in_progress": N_("Being restored"),
    "init_complete": N_("Waiting"),
    "complete": N_("Complete"),
    "in_progress": N_("Under way"),
    "failed": N_("Failed"),
    "completed": N_("Complete"),
    "done": N_("Complete"),
    "confirmed": N_("Confirmed"),
    "reverted": N_("Undone"),
    "running": N_("Under way"),
    "waiting": N_("Waiting"),
    "undoing": N_("Being undone"),
    "undone": N_("Undone"),
    "owed": N_("Owed by a host"),
    "to come": N_("To come"),
    "preparing": N_("Being prepared"),
    "pre-migrating": N_("Being prepared"),
    "post-migrating": N_("Being finished"),
    "cancelled": N_("Cancelled"),
    "accepted": N_("Accepted"),
    "pending": N_("Not answered yet"),
    "rejected": N_("Refused"),
    "deactivated": N_("Deactivated"),
    "importing": N_("Being fetched"),
    "reserved": N_("Reserved"),
    "retyping": N_("Changing its type"),
    "error_deleting": N_("Deleting failed"),
    "error_extending": N_("Extending failed"),
    "soft_deleted": N_("Deleted, can be restored"),
    "powering-off": N_("Being stopped"),
    "powering-on": N_("Being started"),
    "rebooting": N_("Rebooting"),
    "spawning": N_("Being started"),
    "scheduling": N_("A host is looked for"),
    "networking": N_("Being connected"),
    "block_device_mapping": N_("Its volumes are made ready"),
    "draining": N_("Its servers move away"),
    "lost": N_("Lost"),
    "hard_reboot": N_("Rebooting"),
    "rebooting_hard": N_("Rebooting"),
    "attached": N_("Attached"),
    "detached": N_("Detached"),
    "rebuilding": N_("Being rebuilt"),
    "shelving": N_("Being shelved"),
    "unshelving": N_("Being unshelved"),
    "rescuing": N_("Being rescued"),
    "unrescuing": N_("The rescue is being ended"),
    "resize_prep": N_("Being resized"),
    "resize_confirming": N_("The resize is being confirmed"),
    "resize_reverting": N_("Being resized back"),
    "image_snapshot": N_("An image of it is being made"),
    "image_backup": N_("A backup of it is being made"),
    "suspending": N_("Being suspended"),
    "resuming": N_("Being resumed"),
    "pausing": N_("Being paused"),
    "unpausing": N_("Being resumed"),
}
"""States in words; another is shown as the API says it."""
GOOD = {
    "ok",
    "active",
    "available",
    "in-use",
    "attached",
    "up",
    "enabled",
    "create_complete",
    "update_complete",
    "finished",
    "success",
    "complete",
    "completed",
    "confirmed",
    "done",
    "accepted",
}
BAD = {
    "alarm",
    "exceeded",
    "error",
    "error_restoring",
    "create_failed",
    "delete_failed",
    "update_failed",
    "lost",
    "down",
    "deleted",
}
QUIET = {
    "to come",
    "undone",
    "owed",
    "insufficient data",
    "shutoff",
    "paused",
    "suspended",
    "shelved",
    "shelved_offloaded",
    "disabled",
    "queued",
    "none",
    "n/a",
    "delete_complete",
    "suspend_complete",
    "init_complete",
    "cancelled",
    "reverted",
    "rejected",
    "deactivated",
    "detached",
}
WORDS = {
    "ingress": N_("Coming in"),
    "egress": N_("Going out"),
    "private": N_("This project"),
    "shared": N_("Shared with chosen projects"),
    "public": N_("Everybody"),
    "anti-affinity": N_("On different hosts"),
    "affinity": N_("On the same host"),
    "soft-anti-affinity": N_("On different hosts, if it can be"),
    "soft-affinity": N_("On the same host, if it can be"),
    "low": N_("low"),
    "moderate": N_("moderate"),
    "critical": N_("critical"),
    "problem": N_("Problem"),
    "warning": N_("Warning"),
    "user": N_("User"),
    "group": N_("Group"),
    "creation": N_("Create an alarm"),
    "deletion": N_("Delete"),
    "rule change": N_("Change"),
    "state transition": N_("Change of its state"),
    "gnocchi_resources_threshold": N_("Threshold of a server"),
    "gnocchi_aggregation_by_metrics_threshold": N_("Threshold of several metrics"),
    "gnocchi_aggregation_by_resources_threshold": N_("Threshold of several servers, or of a server's parts"),
    "event": N_("Event"),
    "composite": N_("Several together"),
    "create": N_("Launch a server"),
    "delete": N_("Delete"),
    "start": N_("Start"),
    "stop": N_("Stop"),
    "reboot": N_("Reboot"),
    "rebuild": N_("Rebuild"),
    "resize": N_("Resize"),
    "confirmResize": N_("Confirm the resize"),
    "revertResize": N_("Undo the resize"),
    "migrate": N_("Move to another host"),
    "migration": N_("Move to another host"),
    "live-migration": N_("Move to another host while it runs"),
    "evacuate": N_("Start it on another host"),
    "evacuation": N_("Start it on another host"),
    "pause": N_("Pause"),
    "unpause": N_("Resume after the pause"),
    "suspend": N_("Suspend"),
    "resume": N_("Resume"),
    "shelve": N_("Shelve"),
    "shelveOffload": N_("Shelve"),
    "unshelve": N_("Unshelve"),
    "lock": N_("Lock"),
    "unlock": N_("Unlock"),
    "rescue": N_("Rescue"),
    "unrescue": N_("End the rescue"),
    "createImage": N_("Make an image of it"),
    "createBackup": N_("Make a backup"),
    "changePassword": N_("Change the password"),
    "attach_volume": N_("Attach a volume"),
    "detach_volume": N_("Detach"),
    "extend_volume": N_("Extend"),
    "swap_volume": N_("Exchange a volume"),
    "attach_interface": N_("Attach an interface"),
    "detach_interface": N_("Detach an interface"),
}
"""Other values that are words."""
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


@dataclass(frozen=True)
class Cell:
    """A value as a template shows it."""

    text: str
    kind: str = "text"
    tone: str = ""
    href: str = ""
    lines: tuple[Cell, ...] = ()


def tone(state: str) -> str:
    """good, bad, quiet, or busy for everything on its way."""
    low = state.lower()
    if low in QUIET:
        return "quiet"
    if low in GOOD or low.endswith("_complete"):
        return "good"
    if low in BAD or low.startswith("error") or low.endswith("failed"):
        return "bad"
    return "busy"


def size(number: float) -> str:
    """Bytes in binary units."""
    unit = 0
    while number >= 1024 and unit < len(UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.0f} {UNITS[unit]}" if unit == 0 or number >= 100 else f"{number:.1f} {UNITS[unit]}"


def cell(words: Words, column: Column, row: Row, names: Mapping[str, Mapping[str, str]], link: Any) -> Cell:
    """``names``: what other resources are called, by kind and id; ``link(kind, id)``: the address of one's page."""
    value, kind = value_of(row, column.field), column.kind
    if kind == "bool":
        return Cell(words("yes") if value in (True, "true", "True", "YES") else words("no"))
    if value is None or value == "" or value == [] or value == {}:
        return Cell("–", "none")
    if kind.startswith("ref:"):
        return _reference(kind.removeprefix("ref:"), value, names, link)
    if kind == "usable" and str(value).lower() == "active":
        return Cell(words(N_("Usable")), "state", "good")
    if kind in ("state", "usable"):
        return Cell(
            words(STATES[str(value).lower()]) if str(value).lower() in STATES else str(value), "state", tone(str(value))
        )
    if kind in SIZES:
        return Cell(size(float(value) * SIZES[kind])) if isinstance(value, int | float) else Cell(str(value)[:LONGEST])
    if kind == "word" and str(value) in WORDS:
        return Cell(words(WORDS[str(value)]))
    if kind in ("doing", "step"):
        return Cell(doing(words, str(value)))
    if kind in ("thing", "all-thing"):
        return _thing(words, str(value), THINGS if kind == "thing" else ALL_THINGS, link)
    if kind == "time":
        return Cell(str(value)[:19].replace("T", " "), kind, href=_iso(str(value)))
    if kind == "said":
        return Cell(sentence(words, str(value))[:LONGEST])
    if kind == "json" and isinstance(value, Mapping):
        return _lines("code", [f"{name} = {plain(inner)}" for name, inner in value.items()])
    if kind == "outputs" and isinstance(value, list):
        return _outputs(words, value)
    if kind == "routes":
        return _lines("code", [f"{one.get('destination')} → {one.get('nexthop')}" for one in value])
    if kind == "addresses":
        return _lines(kind, _addresses(value))
    if kind == "fixed":
        return _lines(kind, [str(one.get("ip_address", "")) for one in value if isinstance(one, Mapping)])
    if kind == "names":
        return _lines(kind, [str(value_of(one, "name") or one) for one in value])
    if kind == "pools":
        return _lines(kind, [f"{one.get('start')} – {one.get('end')}" for one in value if isinstance(one, Mapping)])
    text = plain(value)[:LONGEST]
    return Cell(text, "fixed" if kind == "code" and ADDRESS.fullmatch(text) else kind)


ADDRESS = re.compile(r"[0-9A-Fa-f]{0,4}(?:[:.][0-9A-Fa-f]{0,4}){2,8}(?:/[0-9]{1,3})?")
"""Of a network, or a card: shown whole."""
THINGS = {
    "server": (N_("Server"), "servers"),
    "volume": (N_("Volume"), "volumes"),
    "image": (N_("Image"), "images"),
    "snapshot": (N_("Snapshot"), "snapshots"),
    "backup": (N_("Backup"), "backups"),
    "stack_resource": (N_("Resource of a stack"), ""),
    "alarm": (N_("Alarm"), "alarms"),
}
ALL_THINGS = {**THINGS, "server": (N_("Server"), "all-servers")}
"""What a job is done to: what it is called, and the kind of its page."""


def doing(words: Words, name: str) -> str:
    """A job, or a step of one, in words; as it is called where there are none."""
    text = OPERATIONS.get(name) or STEPS.get(name)
    return words(text) if text else name.replace("_", " ")


def _thing(words: Words, text: str, known: Mapping[str, tuple[str, str]], link: Any) -> Cell:
    kind, _, resource_id = text.partition(":")
    title, page = known.get(kind, ("", ""))
    return (
        Cell(f"{words(title)} {resource_id[:8]}", "ref", href=link(page, resource_id)) if title else Cell(text, "code")
    )


SIZES = {"bytes": 1, "mib": 1 << 20, "gib": 1 << 30}


def _reference(kind: str, value: Any, names: Mapping[str, Mapping[str, str]], link: Any) -> Cell:
    many = value if isinstance(value, list) else [value]
    found = []
    for one in many[:50]:
        key = str(value_of(one, "id") or one) if isinstance(one, Mapping) else str(one)
        known = names.get(kind, {})
        # What the visitor may not see has no page for him.
        found.append(Cell(known[key] or key[:8], "ref", href=link(kind, key)) if key in known else Cell(key, "code"))
    return found[0] if len(found) == 1 else Cell("", "lines", lines=tuple(found))


def _lines(kind: str, texts: list[str]) -> Cell:
    return Cell("", "lines", lines=tuple(Cell(text[:LONGEST], kind) for text in texts[:50]))


NO_DESCRIPTION = "No description given"
"""What the API says where a template says nothing."""


def _outputs(words: Words, outputs: list[Any]) -> Cell:
    """Outputs of a stack as a table; its first line is the head."""
    head = tuple(Cell(words(text)) for text in (N_("Name"), N_("Value"), N_("Description")))
    lines = [head, *(_output(words, one) for one in outputs if isinstance(one, Mapping))]
    return Cell("", "table", lines=tuple(Cell("", "line", lines=line) for line in lines))


def _output(words: Words, output: Mapping[str, Any]) -> tuple[Cell, ...]:
    value, said = output.get("output_value"), str(output.get("description") or "")
    return (
        Cell(plain(output.get("output_key"))[:LONGEST]),
        folded(plain(value)) if value is not None else _without(words, output),
        Cell("–", "none") if said in ("", NO_DESCRIPTION) else Cell(said[:LONGEST]),
    )


def _without(words: Words, output: Mapping[str, Any]) -> Cell:
    error = str(output.get("output_error") or "")
    return Cell(sentence(words, error)[:LONGEST], tone="bad") if error else Cell("–", "none")


def folded(text: str) -> Cell:
    """A value as code; a long one shows how it begins."""
    if len(text) <= FOLDED and text.count("\n") < 4:
        return Cell(text, "code")
    return Cell(f"{' '.join(text[:BEGINNING].split())}…", "folded", lines=(Cell(text[:LONGEST_FOLDED], "code"),))


def _addresses(value: Any) -> list[str]:
    if not isinstance(value, Mapping):
        return [plain(value)]
    found = []
    for network, some in value.items():
        texts = [str(one.get("addr", "")) for one in some if isinstance(one, Mapping)]
        found.append(f"{', '.join(texts)} ({network})")
    return found


def _iso(text: str) -> str:
    """A time for ``<time datetime>``; those of the API are in UTC, whether they say so or not."""
    return text if text.endswith("Z") or "+" in text else f"{text}Z"


def plain(value: Any) -> str:
    """Any value of a document as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def flat(document: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """All that a document says, by path."""
    found: list[tuple[str, str]] = []
    for name, value in document.items():
        if name == "links":
            continue
        if isinstance(value, Mapping) and value and len(before) < 200:
            found.extend(flat(value, f"{before}{name}/"))
        else:
            found.append((f"{before}{name}", plain(value)[:LONGEST]))
    return found
