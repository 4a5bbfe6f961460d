"""Every string of every body: line breaks, NUL, zones, spaces, and what separates options of the tools of a host.

A field is refused by its schema, or it stands here with the reason why what it says reaches no tool: a new field that
takes such text, and stands nowhere, fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from tane.web import codec
from tane.web.errors import BadRequest
from tests.api.compute_support import make_image
from tests.hostile.schemas import Field, example, fields, structs
from tests.support import ApiCloud, Caller

FIELDS = fields()
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMN5OCjS0/iM6i1qW3uYbzGls04GZPvuFGnhfj5AZCC me@home"
SEPARATORS = (
    "\n",
    "\r\n",
    "\0",
    "\u2028",
    "%eth0",
    " ",
    "\t",
    ",",
    ";",
    "{",
    "}",
    ",script=/bin/sh",
    "\nconf-script=/bin/sh",
)

TEXT = "kept as it was sent and shown again; no tool of a host gets it"
SECRET = "hashed, encrypted or compared, and never handed on"
KEY_OF_ROW = "compared with what there is: nothing but what is found is used"
WORD = "one of a few words or a number: what else is sent is refused where it is read"
PARSED = "read by a parser of its own, see ATTACKS"
ADDRESS = "of the web: refused with a control character or a space in it, and judged where it is gone to"
IGNORED = "taken because clients send it back, and not read"

ALARM_TYPES = (
    *("gnocchi_resources_threshold", "gnocchi_aggregation_by_metrics_threshold"),
    *("gnocchi_aggregation_by_resources_threshold", "event", "composite", "prometheus"),
    "loadbalancer_member_health",
)

REASONS: dict[str, dict[str, tuple[str, ...]]] = {
    "placement": {},
    "identity": {
        TEXT: (
            *(
                "name",
                "description",
                "type",
                "id",
                "tags[]",
                "region",
                "region_id",
                "parent_region_id",
                "resource_name",
            ),
            *("config{}", "config[]", "multi_factor_auth_rules[][]", "service"),
        ),
        SECRET: (
            *("password", "original_password", "passcode", "secret", "blob"),
            *("access", "body_hash", "headers{}", "headers[]", "host", "params{}", "params[]", "path", "signature"),
            *("token", "verb"),
        ),
        KEY_OF_ROW: ("tenant_id", "project_id", "service_id", "trustee_user_id", "trustor_user_id"),
        WORD: ("methods[]", "expires_at", "unscoped{}", "unscoped[]"),
    },
    "image": {
        TEXT: (
            *(
                "name",
                "description",
                "display_name",
                "namespace",
                "title",
                "default",
                "enum[]",
                "operators[]",
                "pattern",
            ),
            *("prefix", "properties{}", "properties_target", "required[]", "tags[]", "owner", "member", "input{}"),
            *("input[]", "os_hash_value"),
        ),
        WORD: ("status", "type", "os_hash_algo"),
        IGNORED: ("created_at", "updated_at", "schema", "self"),
    },
    "volume": {
        TEXT: (
            *(
                "name",
                "description",
                "display_name",
                "display_description",
                "metadata{}",
                "metadata[]",
                "meta{}",
                "meta[]",
            ),
            *("extra_specs{}", "extra_specs[]", "disabled_reason", "image_name", "host_name", "connector{}"),
            *("connector[]", "mountpoint", "key", "project", "provider", "cipher", "group_specs{}", "group_specs[]"),
            *("qos_specs{}", "qos_specs[]", "keys[]"),
            # Of object storage, which never makes a path of it.
            "container",
        ),
        KEY_OF_ROW: (
            *(
                "availability_zone",
                "new_type",
                "backup_id",
                "consistencygroup_id",
                "group_id",
                "imageRef",
                "image_id",
                "snapshot_id",
            ),
            *("source_volid", "volume_type", "host", "binary", "service", "cluster"),
            *("group_type", "volume_types[]", "add_volumes", "remove_volumes"),
        ),
        WORD: (
            *("size", "multiattach", "mode", "status", "attach_status", "migration_status", "force", "progress"),
            *("incremental", "backup_service"),
            # Base64 of a document whose fields have each their form.
            "backup_url",
            *("quota_set{}", "quota_set[]", "quota_class_set{}", "quota_class_set[]", "delete-volumes"),
        ),
        SECRET: ("auth_key",),
    },
    "compute": {
        TEXT: (
            *("name", "description", "metadata{}", "metadata[]", "meta{}", "meta[]", "extra_specs{}", "extra_specs[]"),
            *("disabled_reason", "locked_reason", "availability_zone", "id", "adminPass", "tag"),
            *("display_name", "display_description", "backup_type"),
            # Base64 of what the guest is given, broken into lines or not.
            "user_data",
        ),
        KEY_OF_ROW: (
            *("binary", "host", "hypervisor_hostname", "flavorRef", "imageRef", "image_id", "key_name", "group"),
            *("same_host", "same_host[]", "different_host", "different_host[]", "serverId", "snapshot_id", "uuid"),
            *("volume_id", "volume_type", "tenant", "user_id", "pool", "address", "fixed_address"),
        ),
        WORD: ("boot_index", "no_device", "personality[]{}", "personality[][]"),
        IGNORED: ("trusted_image_certificates[]",),
        PARSED: (
            *("accessIPv4", "accessIPv6", "fixed_ip", "ip_address", "public_key", "ip_protocol"),
            "cidr",
        ),
    },
    "network": {
        TEXT: ("name", "description", "device_id", "device_owner", "binding:profile{}", "binding:profile[]"),
        KEY_OF_ROW: (
            *("project_id", "tenant_id", "binding:host_id", "subnetpool_id", "availability_zone_hints[]"),
            "service_types[]",
        ),
        WORD: ("ethertype", "port_range_min", "port_range_max", "provider:network_type", "provider:physical_network"),
        PARSED: (
            *("cidr", "gateway_ip", "start", "end", "destination", "nexthop", "dns_nameservers[]", "dns_domain"),
            *("dns_name", "ip_address", "mac_address", "remote_ip_prefix", "fixed_ip_address", "floating_ip_address"),
            *("protocol", "prefixes[]"),
        ),
    },
    "host": {TEXT: ("disabled_reason",)},
    "metric": {
        TEXT: (
            *("name", "unit", "metric_pattern", "resource_id", "value{}", "value[]", "attributes{}", "attributes[]"),
            "value",
        ),
        KEY_OF_ROW: ("archive_policy_name", "resource_type"),
        WORD: ("op", "path", "aggregation_methods[]", "granularity", "timespan", "operations", "search"),
    },
    "alarm": {
        TEXT: (
            *("name", "description"),
            *(f"{kind}_rule{end}" for kind in ALARM_TYPES for end in ("{}", "[]")),
        ),
        KEY_OF_ROW: ("project_id", "user_id"),
        WORD: ("type", "start", "timezone", "filter", "orderby"),
        ADDRESS: ("ok_actions[]", "alarm_actions[]", "insufficient_data_actions[]"),
        IGNORED: ("alarm_id", "timestamp", "state_timestamp", "state_reason", "evaluate_timestamp"),
    },
    "rating": {
        TEXT: ("name", "description", "value", "reason", "desc{}", "desc[]"),
        KEY_OF_ROW: (
            *("service_id", "field_id", "group_id", "mapping_id", "threshold_id", "tenant_id", "module_id", "service"),
            *("collector", "fetcher", "scope_key", "scope_id"),
        ),
        WORD: (
            *("start", "end", "month", "last_processed_timestamp", "state"),
            *("start_reprocess_time", "end_reprocess_time", "scope_ids"),
        ),
        IGNORED: (
            *("created_at", "deleted", "created_by", "updated_by", "deleted_by", "hot_config"),
            *("data", "script_id", "dataframes"),
        ),
    },
    "orchestration": {
        TEXT: (
            *("resource_status_reason", "name", "group", "config", "options{}", "options[]"),
            *("inputs[]{}", "inputs[][]", "outputs[]{}", "outputs[][]"),
            *("status", "status_reason", "input_values{}", "input_values[]", "output_values{}", "output_values[]"),
            *("tags", "files{}", "files[]", "id", "stack_user_project_id", "server_id"),
            # What a property says goes to the API of its service as a request of the user's own, by its grammar.
            *("template", "template{}", "template[]", "environment", "environment{}", "environment[]"),
            *("parameters{}", "parameters[]"),
        ),
        KEY_OF_ROW: ("config_id", "clear_parameters[]", "environment_files[]"),
        WORD: (
            *("check", "suspend", "resume", "cancel_update", "cancel_without_rollback", "snapshot", "timeout_mins"),
            *("action", "template_url", "files_container", "stack_name"),
            *("adopt_stack_data", "adopt_stack_data{}", "adopt_stack_data[]"),
        ),
    },
}


def reason_of(field: Field) -> str | None:
    return next((reason for reason, names in REASONS[field.service].items() if field.name in names), None)


def attacked(text: str) -> list[str]:
    """A value of a field with what hurts before, behind and in it."""
    middle = len(text) // 2
    return [
        attack
        for bad in SEPARATORS
        for attack in (text + bad, bad + text, text[:middle] + bad + text[middle:])
        if attack != text
    ]


def let_in(field: Field) -> list[str]:
    text = example(field.pattern) if field.pattern else "00000000-0000-4000-8000-000000000000"
    return [attack for attack in attacked(text) if field.accepts(attack)]


@pytest.mark.parametrize("field", FIELDS, ids=[f"{field.place}" for field in FIELDS])
def test_a_field_refuses_what_hurts_or_has_a_reason_to_take_it(field: Field) -> None:
    found = let_in(field)
    # NUL is refused in every text of a body before its schema is asked; a comma or a space in a text of its own pattern
    # is what the pattern says.
    if field.pattern is not None:
        found = [attack for attack in found if re.search(r"[\x00-\x1f\x7f]", attack.replace("\0", ""))]
    if reason_of(field) is None:
        assert not found, f"{field.place} takes {found[0]!r}: say in REASONS why it reaches no tool, or give it a form"


def test_no_reason_is_left_of_a_field_that_is_gone() -> None:
    there = {(field.service, field.name) for field in FIELDS}
    told = {(service, name) for service, reasons in REASONS.items() for names in reasons.values() for name in names}
    assert told <= there, told - there


@pytest.mark.parametrize("pattern", sorted({field.pattern for field in FIELDS if field.pattern}))
def test_no_pattern_takes_a_line_break_at_its_end(pattern: str) -> None:
    text = example(pattern)
    for bad in ("\n", "\r\n", "\n\n"):
        assert not re.search(pattern, text + bad), (pattern, bad)
        assert not re.search(pattern, bad + text), (pattern, bad)


@pytest.mark.parametrize("struct", [struct for _, struct in structs()], ids=lambda struct: str(struct.__name__))
def test_no_body_holds_the_character_nul(struct: type) -> None:
    """Wherever it stands, in a name or in a value."""
    for raw in (b'{"a": "x\\u0000"}', b'{"a": {"\\u0000": 1}}', b'{"a": [["\\u0000"]]}', b'"\\u0000"'):
        with pytest.raises(BadRequest, match="NUL"):
            codec.decode(struct, raw)


@dataclass
class Scene:
    """A tenant with one of everything an attack needs."""

    mia: Caller
    admin: Caller
    ids: dict[str, str]

    @classmethod
    def make(cls, cloud: ApiCloud) -> Scene:
        mia, admin = cloud.new_user("mia", "garden"), cloud.admin
        net = mia.post("/network/v2.0/networks", {"network": {"name": "n"}}, 201).json()["network"]["id"]
        subnet = {"network_id": net, "ip_version": 4, "cidr": "10.9.0.0/24"}
        sub = mia.post("/network/v2.0/subnets", {"subnet": subnet}, 201).json()["subnet"]["id"]
        router = mia.post("/network/v2.0/routers", {"router": {"name": "r"}}, 201).json()["router"]["id"]
        mia.put(f"/network/v2.0/routers/{router}/add_router_interface", {"subnet_id": sub}, 200)
        groups = mia.get("/network/v2.0/security-groups").json()["security_groups"]
        flavor = {"flavor": {"name": "tiny", "ram": 64, "vcpus": 1, "disk": 1}}
        flavor_id = admin.post("/compute/v2.1/flavors", flavor, 200).json()["flavor"]["id"]
        volume = {"volume": {"size": 1}}
        made = mia.post(f"/volume/v3/{mia.project_id}/volumes", volume, 202).json()["volume"]["id"]
        cloud.run_jobs()
        outside = {"network": {"name": "outside", "router:external": True}}
        outside_id = admin.post("/network/v2.0/networks", outside, 201).json()["network"]["id"]
        subnet = {"network_id": outside_id, "ip_version": 4, "cidr": "203.0.113.0/24"}
        admin.post("/network/v2.0/subnets", {"subnet": subnet}, 201)
        gateway = {"router": {"external_gateway_info": {"network_id": outside_id}}}
        mia.put(f"/network/v2.0/routers/{router}", gateway, 200)
        image = make_image(mia)
        body = {"name": "s", "flavorRef": flavor_id, "imageRef": image, "networks": [{"uuid": net}]}
        server = mia.post("/compute/v2.1/servers", {"server": body}, 202).json()["server"]["id"]
        cloud.run_jobs()
        [port] = mia.get(f"/network/v2.0/ports?device_id={server}").json()["ports"]
        own = {"server": server, "image": image, "outside": outside_id, "port": port["id"], "flavor": flavor_id}
        ids = {"net": net, "sub": sub, "router": router, "group": groups[0]["id"], "volume": made, **own}
        return cls(mia, admin, {**ids, "address": port["fixed_ips"][0]["ip_address"]})


@dataclass(frozen=True)
class Attack:
    """One field in a request that is good but for it: ``value`` is a good one, and ``body`` has ``$`` in its place."""

    service: str
    field: str
    method: str
    path: str
    body: dict[str, Any]
    value: str
    microversion: str = ""
    by_admin: bool = False

    def request(self, scene: Scene, value: str) -> tuple[int, str]:
        body = _with(self.body, scene.ids, value)
        headers = {"OpenStack-API-Version": f"compute {self.microversion}"} if self.microversion else {}
        caller = scene.admin if self.by_admin else scene.mia
        answer = caller.request(self.method, self.path.format_map(scene.ids), json=body, headers=headers)
        return answer.status_code, answer.text


def _with(body: Any, ids: dict[str, str], value: str) -> Any:
    if isinstance(body, dict):
        return {name: _with(inner, ids, value) for name, inner in body.items()}
    if isinstance(body, list):
        return [_with(inner, ids, value) for inner in body]
    if body == "$":
        return value
    return ids[body[1:]] if isinstance(body, str) and body.startswith("@") else body


def _server(**more: Any) -> dict[str, Any]:
    return {
        "server": {"name": "s", "flavorRef": "@flavor", "imageRef": "@image", "networks": [{"uuid": "@net"}], **more}
    }


DISK = {"uuid": "@image", "source_type": "image", "destination_type": "local", "boot_index": 0}
OLD_RULES = "/compute/v2.1/os-security-group-rules"
SERVERS, NETWORK = "/compute/v2.1/servers", "/network/v2.0"


def _subnet(**more: Any) -> dict[str, Any]:
    return {"subnet": {"network_id": "@net", "ip_version": 4, "cidr": "10.8.0.0/24", **more}}


def _port(**more: Any) -> dict[str, Any]:
    return {"port": {"network_id": "@net", **more}}


def _rule(**more: Any) -> dict[str, Any]:
    return {"security_group_rule": {"security_group_id": "@group", "direction": "ingress", **more}}


def _disk(**more: Any) -> dict[str, Any]:
    return _server(block_device_mapping_v2=[{**DISK, **more}])


def _old_rule(**more: Any) -> dict[str, Any]:
    whole = {"parent_group_id": "@group", "ip_protocol": "udp", "from_port": 1, "to_port": 2, **more}
    return {"security_group_rule": whole}


def _floating(**more: Any) -> dict[str, Any]:
    return {"floatingip": {"floating_network_id": "@outside", **more}}


ATTACKS = (
    Attack("compute", "accessIPv4", "POST", SERVERS, _server(accessIPv4="$"), "192.0.2.1"),
    Attack("compute", "accessIPv6", "POST", SERVERS, _server(accessIPv6="$"), "2001:db8::1"),
    Attack("compute", "fixed_ip", "POST", SERVERS, _server(networks=[{"uuid": "@net", "fixed_ip": "$"}]), "10.9.0.40"),
    Attack("compute", "disk_bus", "POST", SERVERS, _disk(disk_bus="$"), "virtio"),
    Attack("compute", "device_type", "POST", SERVERS, _disk(device_type="$"), "disk"),
    Attack("compute", "device_name", "POST", SERVERS, _disk(device_name="$"), "/dev/vda"),
    Attack("compute", "hostname", "POST", SERVERS, _server(hostname="$"), "good", microversion="2.90"),
    Attack(
        "compute", "public_key", "POST", "/compute/v2.1/os-keypairs", {"keypair": {"name": "k", "public_key": "$"}}, KEY
    ),
    Attack(
        *("compute", "ip_address", "POST", f"{SERVERS}/{{server}}/os-interface"),
        {"interfaceAttachment": {"net_id": "@net", "fixed_ips": [{"ip_address": "$"}]}},
        "10.9.0.70",
    ),
    Attack(
        *("compute", "device", "POST", f"{SERVERS}/{{server}}/os-volume_attachments"),
        {"volumeAttachment": {"volumeId": "@volume", "device": "$"}},
        "/dev/vdc",
    ),
    Attack("compute", "ip_protocol", "POST", OLD_RULES, _old_rule(ip_protocol="$"), "tcp"),
    Attack("compute", "cidr", "POST", OLD_RULES, _old_rule(cidr="$"), "10.0.0.0/8"),
    Attack(
        *("network", "fixed_ip_address", "POST", f"{NETWORK}/floatingips"),
        _floating(port_id="@port", fixed_ip_address="$"),
        "@address",
    ),
    Attack(
        *("network", "floating_ip_address", "POST", f"{NETWORK}/floatingips"),
        _floating(floating_ip_address="$"),
        "203.0.113.77",
        by_admin=True,
    ),
    Attack("network", "cidr", "POST", f"{NETWORK}/subnets", _subnet(cidr="$"), "10.8.0.0/24"),
    Attack("network", "gateway_ip", "POST", f"{NETWORK}/subnets", _subnet(gateway_ip="$"), "10.8.0.7"),
    Attack(
        *("network", "start", "POST", f"{NETWORK}/subnets"),
        _subnet(allocation_pools=[{"start": "$", "end": "10.8.0.90"}]),
        "10.8.0.20",
    ),
    Attack(
        *("network", "end", "POST", f"{NETWORK}/subnets"),
        _subnet(allocation_pools=[{"start": "10.8.0.20", "end": "$"}]),
        "10.8.0.90",
    ),
    Attack(
        *("network", "destination", "POST", f"{NETWORK}/subnets"),
        _subnet(host_routes=[{"destination": "$", "nexthop": "10.8.0.9"}]),
        "198.51.100.0/24",
    ),
    Attack(
        *("network", "nexthop", "POST", f"{NETWORK}/subnets"),
        _subnet(host_routes=[{"destination": "198.51.100.0/24", "nexthop": "$"}]),
        "10.8.0.9",
    ),
    Attack("network", "dns_nameservers[]", "POST", f"{NETWORK}/subnets", _subnet(dns_nameservers=["$"]), "192.0.2.53"),
    Attack("network", "dns_domain", "POST", f"{NETWORK}/networks", {"network": {"dns_domain": "$"}}, "example.org."),
    Attack("network", "dns_name", "POST", f"{NETWORK}/ports", _port(dns_name="$"), "web"),
    Attack("network", "dns_domain", "POST", f"{NETWORK}/ports", _port(dns_domain="$"), "example.org."),
    Attack(
        *("network", "prefixes[]", "POST", f"{NETWORK}/subnetpools"),
        {"subnetpool": {"name": "p", "prefixes": ["$"]}},
        "10.8.0.0/16",
    ),
    Attack("network", "ip_address", "POST", f"{NETWORK}/ports", _port(fixed_ips=[{"ip_address": "$"}]), "10.9.0.50"),
    Attack("network", "mac_address", "POST", f"{NETWORK}/ports", _port(mac_address="$"), "fa:16:3e:00:00:77"),
    Attack(
        *("network", "ip_address", "POST", f"{NETWORK}/ports"),
        _port(allowed_address_pairs=[{"ip_address": "$"}]),
        "10.9.0.60",
    ),
    Attack(
        *("network", "mac_address", "POST", f"{NETWORK}/ports"),
        _port(allowed_address_pairs=[{"ip_address": "10.9.0.61", "mac_address": "$"}]),
        "fa:16:3e:00:00:78",
    ),
    Attack(
        *("network", "remote_ip_prefix", "POST", f"{NETWORK}/security-group-rules"),
        _rule(remote_ip_prefix="$"),
        "203.0.113.0/24",
    ),
    Attack("network", "protocol", "POST", f"{NETWORK}/security-group-rules", _rule(protocol="$"), "tcp"),
    Attack(
        "network", "ethertype", "POST", f"{NETWORK}/security-group-rules", _rule(ethertype="$", protocol="udp"), "IPv4"
    ),
    Attack(
        *("network", "destination", "PUT", f"{NETWORK}/routers/{{router}}"),
        {"router": {"routes": [{"destination": "$", "nexthop": "10.9.0.9"}]}},
        "198.51.100.0/24",
    ),
    Attack(
        *("network", "nexthop", "PUT", f"{NETWORK}/routers/{{router}}"),
        {"router": {"routes": [{"destination": "198.51.100.0/24", "nexthop": "$"}]}},
        "10.9.0.9",
    ),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=[f"{a.service} {a.field} {a.method} {a.path}" for a in ATTACKS])
def test_what_a_parser_reads_it_reads_as_a_whole(cloud: ApiCloud, attack: Attack) -> None:
    """Whatever stands before, in or behind a good value, the request is refused, and the good value is not."""
    scene = Scene.make(cloud)
    good = _with(attack.value, scene.ids, "")
    for value in attacked(good):
        status, text = attack.request(scene, value)
        if attack.field == "public_key" and status < 300:
            assert _same_key(value), value
            scene.mia.delete("/compute/v2.1/os-keypairs/k", 202)
            continue
        assert 400 <= status < 500, (attack.field, value, status, text)
    status, text = attack.request(scene, good)
    assert 200 <= status < 300, (attack.field, status, text)


def _same_key(value: str) -> bool:
    """The comment of a public key is free, but for line breaks."""
    return value.split()[:2] == KEY.split()[:2] and not re.search(r"[\r\n\0\u2028]", value.strip())


def test_every_field_that_is_parsed_is_attacked() -> None:
    told = {(service, name) for service, reasons in REASONS.items() for name in reasons.get(PARSED, ())}
    done = {(attack.service, attack.field) for attack in ATTACKS}
    assert told <= done, told - done
