"""Which flavor extra specs mean something, and with which values, since 2.86 (nova.api.validation.extra_specs).

Names under a namespace that upstream does not know are the operator's own and are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tane.web.errors import BadRequest

BOOLEAN = r"(?i:true|false|1|0|t|f|yes|no|y|n|on|off)"
POSITIVE = r"0*[1-9][0-9]{0,17}"
NUMBER = r"[0-9]{1,18}"
SIZE = r"large|small|any|[0-9]+([kKMGT]i?)?(b|bit|B)?"
CPUS = r"\^?[0-9]+(-[0-9]+)?(,\^?[0-9]+(-[0-9]+)?)*"
TEXT = r".*"
MEMORY_ENCRYPTION_MODELS = r"amd-sev|amd-sev-es"
VIF_MODELS = r"e1000|e1000e|lan9118|ne2k_pci|netfront|pcnet|rtl8139|spapr-vlan|sriov|virtio|vmxnet3|VirtualE1000"
DISK_BUSES = r"fdc|ide|sata|scsi|usb|virtio|xen|lxc|uml"
QUOTA_CPU = ("cpu_shares", "cpu_period", "cpu_quota")
QUOTA_DISK = (
    *(f"disk_{way}_{unit}_sec" for way in ("read", "write", "total") for unit in ("bytes", "iops")),
    *(f"disk_{way}_{unit}_sec_max" for way in ("read", "write", "total") for unit in ("bytes", "iops")),
)
QUOTA_VIF = tuple(f"vif_{way}_{kind}" for way in ("inbound", "outbound") for kind in ("average", "burst", "peak"))
QUOTA_VMWARE = tuple(
    f"{part}_{kind}"
    for part in ("cpu", "memory", "disk_io", "vif")
    for kind in ("limit", "reservation", "shares_share")
)

HW = {
    "cpu_realtime": BOOLEAN,
    "cpu_realtime_mask": CPUS,
    "hide_hypervisor_id": BOOLEAN,
    "emulator_threads_policy": r"isolate|share",
    "cpu_policy": r"dedicated|shared|mixed",
    "cpu_thread_policy": r"prefer|isolate|require",
    "cpu_dedicated_mask": CPUS,
    "mem_page_size": SIZE,
    "numa_nodes": POSITIVE,
    r"numa_cpus\.[0-9]+": CPUS,
    r"numa_mem\.[0-9]+": POSITIVE,
    "pci_numa_affinity_policy": r"required|preferred|legacy|socket",
    "vif_multiqueue_enabled": BOOLEAN,
    "cpu_sockets": POSITIVE,
    "cpu_cores": POSITIVE,
    "cpu_threads": POSITIVE,
    "cpu_max_sockets": POSITIVE,
    "cpu_max_cores": POSITIVE,
    "cpu_max_threads": POSITIVE,
    "boot_menu": BOOLEAN,
    "locked_memory": BOOLEAN,
    "maxphysaddr_mode": r"passthrough|emulate",
    "maxphysaddr_bits": NUMBER,
    "mem_encryption": BOOLEAN,
    "mem_encryption_model": MEMORY_ENCRYPTION_MODELS,
    "pmem": TEXT,
    "pmu": BOOLEAN,
    "serial_port_count": NUMBER,
    "tpm_model": r"tpm-tis|tpm-crb",
    "tpm_version": r"1\.2|2\.0",
    "tpm_secret_security": r"user|host|deployment",
    "viommu_model": r"intel|smmuv3|virtio|auto",
    "virtio_packed_ring": BOOLEAN,
    "watchdog_action": r"none|pause|poweroff|reset|disabled",
    "sound_model": r"sb16|es1370|pcspk|ac97|ich6|ich9|usb|virtio",
    "usb_model": r"piix3-uhci|piix4-uhci|ehci|ich9-ehci1|vt82c686b-uhci|pci-ohci|nec-xhci|qemu-xhci",
    "redirected_usb_ports": r"[0-9]|1[0-5]",
}

NAMESPACES: Mapping[str, Mapping[str, str]] = {
    "ha": {"policy": r"evacuate|none"},
    "accel": {"device_profile": TEXT},
    "aggregate_instance_extra_specs": {TEXT: TEXT},
    "capabilities": {TEXT: TEXT},
    "hw": HW,
    "hw_rng": {"allowed": BOOLEAN, "rate_bytes": NUMBER, "rate_period": NUMBER},
    "hw_video": {"ram_max_mb": NUMBER},
    "os": {"secure_boot": r"disabled|required"},
    "pci_passthrough": {"alias": r"[^:,]+:[0-9]+(\s*,\s*[^:,]+:[0-9]+)*"},
    "powervm": {
        "min_mem|max_mem|min_vcpu|max_vcpu": POSITIVE,
        "proc_units|min_proc_units|max_proc_units": r"[0-9]*\.?[0-9]+",
        "dedicated_proc|shared_weight|availability_priority|uncapped|processor_compatibility|srr_capability": TEXT,
        "dedicated_sharing_mode|shared_proc_pool_name": TEXT,
    },
    "quota": {
        **dict.fromkeys((*QUOTA_CPU, *QUOTA_DISK, *QUOTA_VIF), NUMBER),
        **dict.fromkeys(QUOTA_VMWARE, r"-?[0-9]{1,18}"),
        r"(cpu|memory|disk_io|vif)_shares_level": r"custom|high|normal|low",
    },
    "vmware": {TEXT: TEXT},
}
RESOURCE = r"[A-Z0-9_]+"
GROUPED = {
    "resources": (RESOURCE, NUMBER),
    "trait": (r"[A-Z0-9_]+", r"required|forbidden"),
}
"""Namespaces that may carry the name of a request group: ``resources2:VCPU``, ``trait_NIC:HW_NIC_OFFLOAD_TSO``."""
GROUP = r"([a-zA-Z0-9_-]{0,64})"


OTHERS = ("powervm", "vmware")
"""Namespaces of other hypervisors: they mean nothing to guests here, as they mean nothing to Nova with QEMU."""


def acted_on(key: str) -> bool:
    """Whether Nova with QEMU does something because of an extra spec of this name, or of another in its namespace."""
    namespace, colon, _ = key.partition(":")
    if not colon:
        return key in ("hide_hypervisor_id", "group_policy")
    return _grouped(namespace) is not None or (namespace in NAMESPACES and namespace not in OTHERS)


def check(specs: Mapping[str, str]) -> None:
    """:raises BadRequest: a name that a known namespace has not, or a value that does not fit its name."""
    for key, value in specs.items():
        namespace, colon, name = key.partition(":")
        if key == "hide_hypervisor_id":
            _check_value(key, value, BOOLEAN)
        elif colon and (grouped := _grouped(namespace)) is not None:
            if not re.fullmatch(grouped[0], name):
                raise _unknown(key)
            _check_value(key, value, grouped[1])
        elif colon and namespace in NAMESPACES:
            _check_name(key, name, value, NAMESPACES[namespace])


def _grouped(namespace: str) -> tuple[str, str] | None:
    for known, rules in GROUPED.items():
        if re.fullmatch(known + GROUP, namespace):
            return rules
    return None


def _check_name(key: str, name: str, value: str, known: Mapping[str, str]) -> None:
    for pattern, rule in known.items():
        if re.fullmatch(pattern, name):
            _check_value(key, value, rule)
            return
    raise _unknown(key)


def _check_value(key: str, value: str, rule: str) -> None:
    if re.fullmatch(rule, value, re.DOTALL):
        return
    if rule == BOOLEAN:
        wrong = "is not a valid boolean-like value"
    elif rule in (POSITIVE, NUMBER):
        wrong = f"is not a valid integer value of at least {int(rule == POSITIVE)}"
    elif re.fullmatch(r"[a-z-]+(\|[a-z-]+)+", rule):
        wrong = f"is not one of: {rule.replace('|', ', ')}"
    else:
        wrong = f"is not of the format '{rule}'"
    raise BadRequest(f"Validation failed; '{value}' {wrong} (extra spec '{key}').")


def _unknown(key: str) -> BadRequest:
    return BadRequest(f"Validation failed; extra spec '{key}' does not appear to be a valid extra spec.")
