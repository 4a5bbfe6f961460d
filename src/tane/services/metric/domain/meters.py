"""What the cloud measures: names, units and kinds as Ceilometer has them, so that its alarms and reports fit."""

from __future__ import annotations

UNITS: dict[str, str] = {
    "cpu": "ns",
    "vcpus": "vcpu",
    "memory": "MB",
    "memory.resident": "MB",
    "memory.usage": "MB",
    "power.state": "state",
    "disk.root.size": "GB",
    "disk.ephemeral.size": "GB",
    **{f"disk.device.{way}.bytes": "B" for way in ("read", "write")},
    **{f"disk.device.{way}.requests": "request" for way in ("read", "write")},
    **{f"network.{way}.bytes": "B" for way in ("incoming", "outgoing")},
    **{f"network.{way}.packets": "packet" for way in ("incoming", "outgoing")},
    **{f"network.{way}.packets.{what}": "packet" for way in ("incoming", "outgoing") for what in ("drop", "error")},
    "hardware.cpu.load.1min": "process",
    "hardware.cpu.load.5min": "process",
    "hardware.cpu.load.15min": "process",
    "hardware.memory.total": "KB",
    "hardware.memory.used": "KB",
    "hardware.disk.size.total": "KB",
    "hardware.disk.size.used": "KB",
    "compute.node.guests": "instance",
    "volume.size": "GB",
    "image.size": "B",
    "ip.floating": "ip",
    "storage.objects": "object",
    "storage.objects.size": "B",
    "storage.objects.containers": "container",
}
COUNTERS = frozenset(
    (
        "cpu",
        *(name for name in UNITS if name.startswith("disk.device.")),
        *(name for name in UNITS if name.startswith("network.")),
    )
)
"""What only grows until the device starts anew: ``rate:mean`` of it is what is used in the time between."""
