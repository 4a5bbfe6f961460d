"""Values for bodies: valid ones from a schema, and junk."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

from msgspec import inspect

Pick = Callable[[str], str | None]
"""An id of a kind (``servers``, ``networks``, …) to refer to, or None when there is none."""

REFERENCES = {
    "network_id": "networks",
    "net_id": "networks",
    "uuid": "networks",
    "floating_network_id": "external",
    "external_gateway_info.network_id": "external",
    "subnet_id": "subnets",
    "port_id": "ports",
    "port": "ports",
    "security_group_id": "security-groups",
    "security_groups": "security-groups",
    "remote_group_id": "security-groups",
    "device_id": "servers",
    "instance_uuid": "servers",
    "group": "os-server-groups",
    "flavorRef": "flavors",
    "imageRef": "images",
    "image_id": "images",
    "volume_id": "volumes",
    "volumeId": "volumes",
    "volume_uuid": "volumes",
    "source_volid": "volumes",
    "snapshot_id": "snapshots",
    "backup_id": "backups",
    "attachment_id": "attachments",
    "volume_type": "types",
    "key_name": "os-keypairs",
    "project_id": "projects",
    "tenant_id": "projects",
    "tenant": "projects",
    "project": "projects",
    "member": "projects",
    "default_project_id": "projects",
    "user_id": "users",
    "service_id": "services",
    "region_id": "regions",
    "host": "hosts",
    "domain_id": "domains",
}
"""Body fields that name another resource, and the path segment before that resource's id."""

WORDS = {
    "cidr": ("10.7.0.0/24", "10.8.0.0/16", "fd00:7::/64", "192.168.1.0/30"),
    "ip_address": ("10.1.0.77", "10.7.0.9", "fd00:7::9", "10.1.0.0/24"),
    "fixed_ip": ("10.1.0.78",),
    "fixed_ip_address": ("10.1.0.79",),
    "floating_ip_address": ("203.0.113.77",),
    "gateway_ip": ("10.7.0.1", "10.1.0.254", "fd00:7::1"),
    "start": ("10.7.0.10", "10.1.0.20"),
    "end": ("10.7.0.20", "10.1.0.40"),
    "destination": ("10.99.0.0/24", "0.0.0.0/0", "fd00:9::/64"),
    "nexthop": ("10.1.0.5", "fd00:7::5"),
    "dns_nameservers": ("8.8.8.8", "2001:4860:4860::8888"),
    "remote_ip_prefix": ("10.0.0.0/8", "::/0", "10.1.2.3"),
    "ethertype": ("IPv4", "IPv6"),
    "protocol": ("tcp", "udp", "icmp", "ipv6-icmp", "6", "255", "vrrp"),
    "mac_address": ("fa:16:3e:00:00:01", "02:00:00:00:00:02"),
    "network_type": ("vxlan", "flat", "vlan", "geneve"),
    "device_owner": ("compute:nova", "network:dhcp", "network:router_interface", ""),
    "status": ("available", "error", "in-use", "accepted", "pending", "rejected", "enabled"),
    "accessIPv4": ("192.0.2.4",),
    "accessIPv6": ("2001:db8::4",),
    "user_data": ("IyEvYmluL3NoCg==",),
    "availability_zone": ("nova",),
    "hypervisor_hostname": ("host-1",),
    "binary": ("nova-compute", "cinder-volume"),
    "methods": ("password", "token"),
    "url": ("nowhere:disk",),  # Of no store: nothing is fetched from anywhere.
    "size": (1, 2, "1"),
    "new_size": (2, 3),
    "volume_size": (1, 2),
    "boot_index": (0, -1, 1, "0", None),
    "device": ("/dev/vdb", "/dev/vdc"),
    "mode": ("rw", "ro"),
    "mtu": (1400, 1500),
    "image_name": ("copy",),
    "disk_format": ("raw", "qcow2"),
    "container_format": ("bare",),
    "type": ("ssh", "SOFT", "novnc"),
}
"""What fields of a form beyond their type look like."""


def valid(kind: Any, rng: random.Random, pick: Pick, name: str, *, required_only: bool = False) -> Any:
    """A value that fits the schema ``kind`` (a msgspec struct), with ``name`` wherever a text is free."""
    return _Maker(rng, pick, name, required_only).make(inspect.type_info(kind), "")


class _Maker:
    def __init__(self, rng: random.Random, pick: Pick, name: str, required_only: bool) -> None:
        self.rng, self.pick, self.name, self.required_only = rng, pick, name, required_only

    def make(self, kind: Any, field: str) -> Any:
        rng = self.rng
        match kind:
            case inspect.Metadata():
                return self.make(kind.type, field)
            case inspect.StructType():
                return {part.encode_name: self.make(part.type, part.name) for part in self._wanted(kind.fields)}
            case inspect.UnionType():
                options = [option for option in kind.types if not isinstance(option, inspect.NoneType)]
                nothing = len(options) < len(kind.types) and not self.required_only and rng.random() < 0.1
                return None if nothing else self.make(rng.choice(options), field)
            case inspect.LiteralType():
                return rng.choice(kind.values)
            case inspect.BoolType():
                return rng.random() < 0.5
            case inspect.IntType() | inspect.FloatType():
                low = kind.ge if kind.ge is not None else 0
                return rng.choice(WORDS.get(field, (low, low + 1, low + 2)))
            case inspect.ListType():
                low = kind.min_length or 0
                return [self.make(kind.item_type, field) for _ in range(max(low, rng.choice((0, 1, 1, 2))))]
            case inspect.DictType():
                return {self.make(kind.key_type, "key"): self.make(kind.value_type, "value")}
            case inspect.StrType():
                return self._text(kind, field)
            case inspect.NoneType():
                return None
            case _:
                return rng.choice(({}, {"a": 1}, "text", 3))

    def _wanted(self, parts: Any) -> list[Any]:
        # Where nothing is required (one or several resources may be made at once) the first is as good as any.
        chance = 0.0 if self.required_only else 0.35
        return [part for part in parts if part.required or self.rng.random() < chance] or list(parts[:1])

    def _text(self, kind: Any, field: str) -> Any:
        reference = self.pick(REFERENCES[field]) if field in REFERENCES else None
        candidates = [reference, *self.rng.sample(WORDS.get(field, ()), min(3, len(WORDS.get(field, ())))), self.name]
        fitting = (text for text in candidates if text is not None and fits(kind, text))
        return next(fitting, "00000000-0000-4000-8000-000000000000")


def fits(kind: Any, text: Any) -> bool:
    return isinstance(text, str) and (
        (kind.min_length or 0) <= len(text) <= (kind.max_length or len(text))
        and (kind.pattern is None or re.search(kind.pattern, text) is not None)
    )


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": [value]}
    return value


TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\x1b[31m\r\n\x7f",
    "\ud800",
    "種" * 255,
    "e\u0301\u202e\u200b🌱",
    "a" * 256,
    "a" * 70_000,
    "%s%n{0}{name}${x}",
    "'; DROP TABLE server; --",
    "../../etc/passwd",
    "10.0.0.0/33",
    "999.1.1.1",
    "0.0.0.0/0",
    "fe80::1%eth0",
    "::ffff:10.0.0.1",
    "10.0.0.1/24",
    "255.255.255.255",
    "00:11:22:33:44:zz",
    "01:00:5e:00:00:01",
    "FA163E000001",
    "00000000-0000-0000-0000-000000000000",
    "٣",
    "²",
    "-1",
    "1e9",
    "9" * 40,
    "9" * 5000,
    "NaN",
    "null",
    "true",
    "2026-99-99T00:00:00Z",
    "default",
    "all",
    "a\nconf-script=/tmp/x",
    "a\r\nb",
    "a\n",
    "\x0b",
    "a\x85b\u2028c",
    "fe80::1%\n/64",
    "fe80::1%0/64",
    "fe80::%eth0/64",
    " 10.1.0.9",
    "10.1.0.9 ",
    "10.1.0.9\n",
    "10.1.0.0/24\n",
    "fd00::1,fd00::2",
    "a,b=c",
    "a,,b",
    "file=/etc/shadow",
    "json:{}",
    "a#b",
    "a;b",
    'a" } flush ruleset',
    "set:x,tag:y",
    "..",
    "-a",
    "--help",
    "$(id)",
)
AROUND = (
    "{}\n",
    "\n{}",
    " {}",
    "{} ",
    "{}\t",
    "{}\r\nx",
    "{}%0",
    "{}%eth0",
    "{}%\n",
    "{},x=y",
    "{},,x",
    "{};x",
    "{}#x",
    '{}" {{',
    "{{{}}}",
    "[{}]",
    "{}/24",
    "{}\x00",
    "{}\x7f",
    "-{}",
    "../{}",
)
"""What turns a valid text into more than its type: for dnsmasq, nftables, QEMU's options, ``ipaddress``."""
NUMBERS = (-1, 0, 1, 4096, 65536, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**40, 0.5, -1.5, 1e308)
ODD: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": None}, {"id": []}, float("nan"), float("inf"))


def junk(rng: random.Random) -> Any:
    """Anything."""
    kind = rng.randrange(10)
    if kind < 4:
        return rng.choice(TEXTS)
    if kind < 6:
        return rng.choice(NUMBERS)
    if kind < 9:
        return rng.choice(ODD)
    return nested(rng.choice((3, 200))) if rng.random() < 0.3 else [rng.choice(TEXTS)] * rng.choice((2, 60))


def spoil(body: Any, rng: random.Random) -> Any:
    """``body`` with one place changed: another value, a missing or unknown field, a list grown."""
    places = list(_places(body))
    if not places or rng.random() < 0.03:
        return junk(rng)
    holder, key = rng.choice(places)
    change = rng.random()
    if change < 0.1 and isinstance(holder, dict):
        del holder[key]
    elif change < 0.2 and isinstance(holder, dict):
        holder[rng.choice(("unknown", "id", "é\x00", "a" * 300))] = junk(rng)
    elif change < 0.25 and isinstance(holder, list):
        holder.extend([holder[key]] * rng.choice((1, 40)))
    elif change < 0.6 and isinstance(holder[key], str):
        holder[key] = rng.choice(AROUND).format(holder[key])
    else:
        holder[key] = junk(rng)
    return body


def _places(value: Any) -> Any:
    """(holder, key) of everything in ``value``."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield value, key
        yield from _places(inner)
