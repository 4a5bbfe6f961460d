"""States of a server and the ``status`` its users see (API guide: "Server concepts")."""

from __future__ import annotations

NOSTATE, RUNNING, PAUSED, SHUTDOWN, CRASHED, SUSPENDED = 0, 1, 3, 4, 6, 7

OFFLOADED = "shelved_offloaded"
"""Put away: on no host."""

DEFAULT_STATUS = {
    "active": "ACTIVE",
    "building": "BUILD",
    "stopped": "SHUTOFF",
    "paused": "PAUSED",
    "suspended": "SUSPENDED",
    "resized": "VERIFY_RESIZE",
    "rescued": "RESCUE",
    "shelved": "SHELVED",
    OFFLOADED: "SHELVED_OFFLOADED",
    "error": "ERROR",
    "deleted": "DELETED",
}

REBUILDING = {"rebuilding": "REBUILD", "rebuild_block_device_mapping": "REBUILD", "rebuild_spawning": "REBUILD"}

RESIZING = {f"resize_{stage}": "RESIZE" for stage in ("prep", "migrating", "migrated", "finish")}

STATUS_OF_TASK: dict[str, dict[str, str]] = {
    "active": {
        "rebooting": "REBOOT",
        "rebooting_hard": "HARD_REBOOT",
        "reboot_started": "REBOOT",
        "reboot_started_hard": "HARD_REBOOT",
        "migrating": "MIGRATING",
        **REBUILDING,
        **RESIZING,
    },
    "stopped": {"rebooting_hard": "HARD_REBOOT", "reboot_started_hard": "HARD_REBOOT", **REBUILDING, **RESIZING},
    "resized": {"resize_reverting": "REVERT_RESIZE"},
    "paused": {
        "migrating": "MIGRATING",
        "rebooting_hard": "HARD_REBOOT",
        "reboot_started_hard": "HARD_REBOOT",
        **REBUILDING,
    },
    "suspended": {"rebooting_hard": "HARD_REBOOT", "reboot_started_hard": "HARD_REBOOT", **REBUILDING},
    "error": {"rebooting_hard": "HARD_REBOOT", "reboot_started_hard": "HARD_REBOOT", **REBUILDING},
}

POWER_OF_GUEST = {
    "running": RUNNING,
    "paused": PAUSED,
    "suspended": SHUTDOWN,
    "stopped": SHUTDOWN,
    "crashed": CRASHED,
    "absent": NOSTATE,
}


def status_of(vm_state: str, task_state: str | None) -> str:
    default = DEFAULT_STATUS.get(vm_state, "UNKNOWN")
    if task_state is None:
        return default
    return STATUS_OF_TASK.get(vm_state, {}).get(task_state, default)


def states_of_status(status: str) -> tuple[list[str], list[str]]:
    """The vm_states and task_states that a filter ``status`` selects; both empty when there is no such status."""
    wanted = status.upper()
    vm_states = [state for state, name in DEFAULT_STATUS.items() if name == wanted]
    by_task = {
        (state, task) for state, tasks in STATUS_OF_TASK.items() for task, name in tasks.items() if name == wanted
    }
    return (
        sorted({*vm_states, *(state for state, _ in by_task)}),
        sorted({task for _, task in by_task}),
    )
