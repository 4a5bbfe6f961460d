"""What a guest's machine is made of: properties of its image and extra specs of its flavor.

A property that Nova knows is honoured or refused by its name; one that it does not know means nothing here either.
Where image and flavor both say something the flavor's word counts, but for the watchdog, as in Nova. Sources: Glance's
"Useful image properties", Nova's "Extra Specs".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tane.services.compute.domain import demands
from tane.services.compute.domain import extra_specs as known_specs
from tane.web.errors import BadRequest
from tane.wire import grammar
from tane.wire.documents import DiskLimits, Hardware

Fields = dict[str, Any]
Rule = Callable[[str], Fields]
"""What a value means for the fields of :class:`Hardware`. Raises ValueError with what is allowed."""

NO_VALUES = ("", "false", "no", "off", "0", "n", "f", "disabled", "none")
YES_VALUES = ("true", "yes", "on", "1", "y", "t")


def _one_of(field: str, *allowed: str) -> Rule:
    return _meaning({value: {field: value} for value in allowed})


def _only(*allowed: str) -> Rule:
    """For what every guest has anyway."""
    return _meaning({value: {} for value in allowed})


def _meaning(values: Mapping[str, Fields]) -> Rule:
    def rule(value: str) -> Fields:
        if value.lower() not in values:
            raise ValueError(f"use one of {', '.join(values)}")
        return values[value.lower()]

    return rule


def _switch(field: str) -> Rule:
    return _meaning({value: {field: value in YES_VALUES} for value in (*YES_VALUES, *NO_VALUES)})


def _number(field: str, most: int) -> Rule:
    def rule(value: str) -> Fields:
        if not re.fullmatch(r"[0-9]{1,4}", value) or not 1 <= int(value) <= most:
            raise ValueError(f"use a number from 1 to {most}")
        return {field: int(value)}

    return rule


def _machine(value: str) -> Fields:
    if not re.fullmatch(r"q35|pc-q35-[0-9]{1,2}\.[0-9]{1,2}", value):
        raise ValueError("use q35 or pc-q35-VERSION")
    return {"machine": value}


_TOPOLOGY: dict[str, Rule] = {
    **{f"cpu_{part}": _number(part, 1024) for part in ("sockets", "cores", "threads")},
    **{f"cpu_max_{part}": _number(f"max_{part}", 1024) for part in ("sockets", "cores", "threads")},
}
_ACTIONS = ("reset", "poweroff", "pause", "none")
_WATCHDOG = _meaning({"disabled": {"watchdog": ""}, **{action: {"watchdog": action} for action in _ACTIONS}})
_PAGES = _only("small", "any", "4", "4kb")

PROPERTIES: dict[str, Rule] = {
    "hw_machine_type": _machine,
    "hw_firmware_type": _one_of("firmware", "bios", "uefi"),
    "os_secure_boot": _meaning({"required": {"secure_boot": True}, "optional": {}, "disabled": {}}),
    "hw_disk_bus": _one_of("disk_bus", "virtio", "scsi", "sata"),
    "hw_cdrom_bus": _one_of("cdrom_bus", "scsi", "sata"),
    "hw_scsi_model": _only("virtio-scsi"),
    "hw_vif_model": _one_of("vif_model", "virtio", "e1000", "e1000e", "rtl8139", "vmxnet3"),
    "hw_video_model": _one_of("video_model", "vga", "virtio", "cirrus", "qxl", "bochs", "none"),
    "hw_watchdog_action": _WATCHDOG,
    "hw_pointer_model": _meaning({"usbtablet": {"tablet": True}, "ps2mouse": {}}),
    "hw_serial_port_count": _number("serial_ports", 4),
    "hw_rng_model": _only("virtio"),
    "hw_boot_menu": _switch("boot_menu"),
    "hw_qemu_guest_agent": _switch("guest_agent"),
    "os_require_quiesce": _switch("quiesce"),
    "hw_architecture": _only("x86_64", "amd64"),
    "architecture": _only("x86_64", "amd64"),
    "img_hv_type": _only("qemu", "kvm"),
    "hypervisor_type": _only("qemu", "kvm"),
    "hw_vm_mode": _only("hvm"),
    "vm_mode": _only("hvm"),
    "os_type": lambda value: {"local_time": value.lower() == "windows"},
    "hw_cpu_policy": _only("shared"),
    "hw_mem_page_size": _PAGES,
    **{f"hw_{name}": rule for name, rule in _TOPOLOGY.items()},
}

DISK_LIMITS = {
    f"quota:disk_{which}_{what}_sec": f"{field}_{which}"
    for which in ("total", "read", "write")
    for what, field in (("bytes", "bytes"), ("iops", "iops"))
}
"""Extra spec → field of :class:`DiskLimits`."""


def _limit(field: str) -> Rule:
    def rule(value: str) -> Fields:
        if not re.fullmatch(r"[0-9]{1,15}", value):
            raise ValueError("use a number of at most 15 digits")
        return {field: int(value)}

    return rule


EXTRA_SPECS: dict[str, Rule] = {
    **{name: _limit(field) for name, field in DISK_LIMITS.items()},
    # What it means for the server: replacing.py.
    "ha:policy": _only("evacuate", "none"),
    "hw:boot_menu": _switch("boot_menu"),
    "hw:watchdog_action": _WATCHDOG,
    "hw:serial_port_count": _number("most_serial_ports", 4),
    "hw:cpu_policy": _only("shared"),
    "hw:mem_page_size": _PAGES,
    "hw_rng:allowed": _only(*YES_VALUES),
    **{f"hw:{name}": rule for name, rule in _TOPOLOGY.items()},
}

NOT_DONE = (
    *("hw_tpm_model", "hw_tpm_version", "hw_vif_multiqueue_enabled", "hw_video_ram", "hw_input_bus", "hw_numa_nodes"),
    *("hw_numa_cpus.", "hw_numa_mem.", "hw_cpu_thread_policy", "hw_cpu_realtime_mask", "hw_emulator_threads_policy"),
    *("hw_mem_encryption", "hw_mem_encryption_model", "hw_locked_memory", "hw_pmu", "hw_time_hpet", "hw_viommu_model"),
    *("hw_virtio_packed_ring", "hw_emulation_architecture", "hw_maxphysaddr_mode", "hw_maxphysaddr_bits"),
    *("hw_firmware_stateless", "hw_pci_numa_affinity_policy", "hw_ephemeral_encryption", "img_hide_hypervisor_id"),
    *("img_config_drive", "trait_:", "resources:", "resources_:", "img_linked_clone", "hw_sound_model"),
)
"""Image properties that Nova acts on and Tane does not yet; one that ends in a mark stands for all that begin so."""

RECORDED = ("kernel_id", "ramdisk_id", "os_command_line", "os_admin_user", *PROPERTIES)


def recorded(properties: Mapping[str, str]) -> dict[str, str]:
    """The properties a server keeps: whoever changes its image later changes nothing about it."""
    kept = {name: properties[name] for name in RECORDED if properties.get(name)}
    return kept | {name: value for name, value in properties.items() if demands.is_trait(name)}


def of(properties: Mapping[str, str], extra_specs: Mapping[str, str], vcpus: int) -> Hardware:
    """The machine of a guest.

    :raises BadRequest: a property or an extra spec that is not done, or has a value that is none.
    """
    _refuse_command_line(properties)
    demands.of(properties, extra_specs)
    fields: Fields = {}
    for name, value in properties.items():
        if name in PROPERTIES:
            fields |= _read("Image property", name, value, PROPERTIES[name])
        elif _named(name, NOT_DONE) and value.lower() not in NO_VALUES and value != "optional":
            raise BadRequest(f"Image property {name} is not supported by this cloud.")
    watchdog = {"watchdog": fields["watchdog"]} if "watchdog" in fields else {}
    for name, value in extra_specs.items():
        if name in EXTRA_SPECS:
            fields |= _read("Flavor extra spec", name, value, EXTRA_SPECS[name])
        elif known_specs.acted_on(name) and not demands.is_one(name):
            raise BadRequest(f"Flavor extra spec {name} is not supported by this cloud.")
    fields |= watchdog
    _refuse_contradictions(fields)
    limits = {field: fields[field] for field in DISK_LIMITS.values() if field in fields}
    fields |= {"disk_limits": DiskLimits(**limits), **_topology(fields, vcpus)}
    return Hardware(**{name: value for name, value in fields.items() if name in Hardware.__struct_fields__})


def administrator(properties: Mapping[str, str]) -> str:
    """The user of the guest whose password ``changePassword`` sets."""
    windows = properties.get("os_type", "").lower() == "windows"
    return properties.get("os_admin_user") or ("Administrator" if windows else "root")


def root_device(machine: Hardware) -> str:
    """The name by which the API speaks of the root disk, as a Linux guest would."""
    return "/dev/vda" if machine.disk_bus == "virtio" else "/dev/sda"


def _named(name: str, listed: tuple[str, ...]) -> bool:
    # Those of a request group carry its name: ``resources2:VCPU``, ``trait_NIC:HW_NIC_OFFLOAD_TSO``.
    name = re.sub(r"^(resources|trait)[\w-]+:", r"\1_:", name)
    return any(name == entry or (not entry[-1].isalnum() and name.startswith(entry)) for entry in listed)


def _read(kind: str, name: str, value: str, rule: Rule) -> Fields:
    try:
        return rule(value)
    except ValueError as error:
        raise BadRequest(f"{kind} {name} has the value {value!r}: {error}.") from None


def _refuse_command_line(properties: Mapping[str, str]) -> None:
    if properties.get("kernel_id"):
        try:
            msgspec.convert(properties.get("os_command_line") or "", grammar.Line)
        except msgspec.ValidationError as error:
            raise BadRequest(f"Invalid image property os_command_line: {error}") from None


def _refuse_contradictions(fields: Fields) -> None:
    if fields.get("secure_boot") and fields.get("firmware") != "uefi":
        raise BadRequest("Image property os_secure_boot needs hw_firmware_type=uefi.")
    if fields.get("quiesce") and not fields.get("guest_agent"):
        raise BadRequest("Image property os_require_quiesce needs hw_qemu_guest_agent=yes.")
    _refuse_total_beside_parts(fields)
    most = fields.pop("most_serial_ports", None)
    if most is not None and fields.setdefault("serial_ports", most) > most:
        raise BadRequest(
            f"Image property hw_serial_port_count is larger than the flavor's hw:serial_port_count {most}."
        )


def _refuse_total_beside_parts(fields: Fields) -> None:
    for what in ("bytes", "iops"):
        if fields.get(f"{what}_total") and (fields.get(f"{what}_read") or fields.get(f"{what}_write")):
            raise BadRequest(
                f"Flavor extra spec quota:disk_total_{what}_sec goes with no quota:disk_read_{what}_sec or "
                f"quota:disk_write_{what}_sec."
            )


def _topology(fields: Fields, vcpus: int) -> Fields:
    """Sockets, cores and threads whose product is the number of VCPUs: as many sockets as may be, then cores (Nova,
    "CPU topologies"). Nothing when neither image nor flavor says anything."""
    parts = ("sockets", "cores", "threads")
    if not any(part in fields or f"max_{part}" in fields for part in parts):
        return {}

    def choices(part: str) -> list[int]:
        most = min(fields.get(f"max_{part}", vcpus), vcpus)
        wanted = [fields[part]] if part in fields else range(most, 0, -1)
        return [number for number in wanted if number <= most and vcpus % number == 0]

    for sockets in choices("sockets"):
        for cores in choices("cores"):
            threads = vcpus // (sockets * cores)
            if sockets * cores * threads == vcpus and threads in choices("threads"):
                return {"sockets": sockets, "cores": cores, "threads": threads}
    said = ", ".join(f"{name}={fields[name]}" for part in parts for name in (part, f"max_{part}") if name in fields)
    raise BadRequest(f"{vcpus} VCPUs cannot be arranged as image and flavor say ({said}).")
