"""Request bodies of the network API (API reference: Networking API v2.0). Unknown attributes are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from tane.services.network.domain.subnet_rules import AddressRange, StaticRoute
from tane.web.codec import Body, LooseBody

Text = Annotated[str, Meta(max_length=255)]
Id = Annotated[str, Meta(min_length=1, max_length=36)]
Owner = Annotated[str, Meta(max_length=64)]
MOST_AT_ONCE = 1000
"""Resources that one request makes."""
MOST_ENTRIES = 1000
"""Entries of a list in a resource. Where Neutron has a bound (routes, pools, pairs), it is smaller, in its words."""


class Common(Body):
    """What every resource takes."""

    name: Text | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    project_id: Owner | UnsetType = UNSET
    tenant_id: Owner | UnsetType = UNSET


class Bulk(Body):
    """One resource, or many under the plural; each of the many may stand in its singular once more, as upstream."""

    @classmethod
    def plain(cls, data: Any) -> Any:
        single, plural = cls.__struct_fields__
        if not isinstance(data, dict) or not isinstance(data.get(plural), list):
            return data
        return {**data, plural: [item[single] if _is_wrapped(item, single) else item for item in data[plural]]}


def _is_wrapped(item: Any, single: str) -> bool:
    return isinstance(item, dict) and list(item) == [single] and isinstance(item[single], dict)


class NetworkIn(Common, kw_only=True):
    admin_state_up: bool | UnsetType = UNSET
    shared: bool | UnsetType = UNSET
    external: bool | UnsetType = field(default=UNSET, name="router:external")
    is_default: bool | UnsetType = UNSET
    mtu: int | UnsetType | None = UNSET
    port_security_enabled: bool | UnsetType = UNSET
    network_type: Text | UnsetType | None = field(default=UNSET, name="provider:network_type")
    physical_network: Text | UnsetType | None = field(default=UNSET, name="provider:physical_network")
    segmentation_id: int | UnsetType | None = field(default=UNSET, name="provider:segmentation_id")
    dns_domain: Text | UnsetType = UNSET
    availability_zone_hints: Annotated[list[Text], Meta(max_length=10)] | UnsetType = UNSET


class Network(Bulk):
    network: NetworkIn | UnsetType = UNSET
    networks: Annotated[list[NetworkIn], Meta(max_length=MOST_AT_ONCE)] | UnsetType = UNSET


class NetworkChange(Body):
    network: NetworkIn


PrefixLength = Annotated[int, Meta(ge=0, le=128)]
PoolName = Annotated[str, Meta(min_length=1, max_length=255)]


class SubnetPoolChangeIn(Body):
    name: PoolName | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    prefixes: Annotated[list[Text], Meta(max_length=MOST_ENTRIES)] | UnsetType = UNSET
    min_prefixlen: PrefixLength | UnsetType = UNSET
    max_prefixlen: PrefixLength | UnsetType = UNSET
    default_prefixlen: PrefixLength | UnsetType = UNSET
    default_quota: Annotated[int, Meta(ge=0, le=2**31 - 1)] | UnsetType | None = UNSET
    is_default: bool | UnsetType = UNSET
    address_scope_id: Id | UnsetType | None = UNSET


class SubnetPoolIn(SubnetPoolChangeIn, kw_only=True):
    name: PoolName
    prefixes: Annotated[list[Text], Meta(max_length=MOST_ENTRIES)]
    shared: bool | UnsetType = UNSET
    project_id: Owner | UnsetType = UNSET
    tenant_id: Owner | UnsetType = UNSET


class SubnetPool(Bulk):
    subnetpool: SubnetPoolIn | UnsetType = UNSET
    subnetpools: Annotated[list[SubnetPoolIn], Meta(max_length=MOST_AT_ONCE)] | UnsetType = UNSET


class SubnetPoolChange(Body):
    subnetpool: SubnetPoolChangeIn


class SubnetIn(Common, kw_only=True):
    network_id: Id
    ip_version: Literal[4, 6] | UnsetType = UNSET
    cidr: Text | UnsetType | None = UNSET
    gateway_ip: Text | UnsetType | None = UNSET
    allocation_pools: Annotated[list[AddressRange], Meta(max_length=MOST_ENTRIES)] | UnsetType | None = UNSET
    dns_nameservers: Annotated[list[Text], Meta(max_length=MOST_ENTRIES)] | UnsetType | None = UNSET
    host_routes: Annotated[list[StaticRoute], Meta(max_length=MOST_ENTRIES)] | UnsetType | None = UNSET
    enable_dhcp: bool | UnsetType = UNSET
    ipv6_ra_mode: Literal["dhcpv6-stateful", "dhcpv6-stateless", "slaac"] | UnsetType | None = UNSET
    ipv6_address_mode: Literal["dhcpv6-stateful", "dhcpv6-stateless", "slaac"] | UnsetType | None = UNSET
    service_types: Annotated[list[Text], Meta(max_length=MOST_ENTRIES)] | UnsetType = UNSET
    subnetpool_id: Id | UnsetType | None = UNSET
    use_default_subnetpool: bool | UnsetType = UNSET
    prefixlen: PrefixLength | UnsetType | None = UNSET


class Subnet(Bulk):
    subnet: SubnetIn | UnsetType = UNSET
    subnets: Annotated[list[SubnetIn], Meta(max_length=MOST_AT_ONCE)] | UnsetType = UNSET


class SubnetChangeIn(Body):
    name: Text | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    gateway_ip: Text | UnsetType | None = UNSET
    allocation_pools: Annotated[list[AddressRange], Meta(max_length=MOST_ENTRIES)] | UnsetType | None = UNSET
    dns_nameservers: Annotated[list[Text], Meta(max_length=MOST_ENTRIES)] | UnsetType | None = UNSET
    host_routes: Annotated[list[StaticRoute], Meta(max_length=MOST_ENTRIES)] | UnsetType | None = UNSET
    enable_dhcp: bool | UnsetType = UNSET
    service_types: Annotated[list[Text], Meta(max_length=MOST_ENTRIES)] | UnsetType = UNSET


class SubnetChange(Body):
    subnet: SubnetChangeIn


class FixedIpIn(Body):
    subnet_id: Id | UnsetType | None = UNSET
    ip_address: Text | UnsetType | None = UNSET


class AddressPairIn(Body, kw_only=True):
    ip_address: Text
    mac_address: Text | None = None


Profile = Annotated[dict[Text, Any], Meta(max_length=MOST_ENTRIES)]


class PortChangeIn(Body):
    name: Text | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    admin_state_up: bool | UnsetType = UNSET
    mac_address: Text | UnsetType | None = UNSET
    fixed_ips: Annotated[list[FixedIpIn], Meta(max_length=MOST_ENTRIES)] | UnsetType | None = UNSET
    device_id: Text | UnsetType | None = UNSET
    device_owner: Text | UnsetType | None = UNSET
    security_groups: Annotated[list[Id], Meta(max_length=MOST_ENTRIES)] | UnsetType | None = UNSET
    allowed_address_pairs: Annotated[list[AddressPairIn], Meta(max_length=MOST_ENTRIES)] | UnsetType | None = UNSET
    port_security_enabled: bool | UnsetType = UNSET
    dns_name: Text | UnsetType | None = UNSET
    dns_domain: Text | UnsetType | None = UNSET
    binding_host: Text | UnsetType | None = field(default=UNSET, name="binding:host_id")
    binding_profile: Profile | UnsetType | None = field(default=UNSET, name="binding:profile")
    vnic_type: Literal["normal"] | UnsetType = field(default=UNSET, name="binding:vnic_type")


class PortIn(PortChangeIn, kw_only=True):
    network_id: Id
    project_id: Owner | UnsetType = UNSET
    tenant_id: Owner | UnsetType = UNSET


class Port(Bulk):
    port: PortIn | UnsetType = UNSET
    ports: Annotated[list[PortIn], Meta(max_length=MOST_AT_ONCE)] | UnsetType = UNSET


class PortChange(Body):
    port: PortChangeIn


class GatewayIn(Body):
    network_id: Id | UnsetType = UNSET
    enable_snat: bool | UnsetType = UNSET
    external_fixed_ips: Annotated[list[FixedIpIn], Meta(max_length=MOST_ENTRIES)] | UnsetType = UNSET


class RouterIn(Common, kw_only=True):
    admin_state_up: bool | UnsetType = UNSET
    distributed: bool | UnsetType = UNSET
    external_gateway_info: GatewayIn | UnsetType | None = UNSET
    availability_zone_hints: Annotated[list[Text], Meta(max_length=10)] | UnsetType = UNSET


class Router(Bulk):
    router: RouterIn | UnsetType = UNSET
    routers: Annotated[list[RouterIn], Meta(max_length=MOST_AT_ONCE)] | UnsetType = UNSET


class RouterChangeIn(Body):
    name: Text | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    admin_state_up: bool | UnsetType = UNSET
    distributed: bool | UnsetType = UNSET
    external_gateway_info: GatewayIn | UnsetType | None = UNSET
    routes: Annotated[list[StaticRoute], Meta(max_length=MOST_ENTRIES)] | UnsetType | None = UNSET


class RouterChange(Body):
    router: RouterChangeIn


class RouterInterface(Body):
    subnet_id: Id | None = None
    port_id: Id | None = None


class ExtraRoutesIn(LooseBody):
    routes: Annotated[list[StaticRoute], Meta(max_length=MOST_ENTRIES)]


class ExtraRoutes(Body):
    router: ExtraRoutesIn


class FloatingIpIn(Body, kw_only=True):
    floating_network_id: Id
    port_id: Id | UnsetType | None = UNSET
    fixed_ip_address: Text | UnsetType | None = UNSET
    floating_ip_address: Text | UnsetType | None = UNSET
    subnet_id: Id | UnsetType | None = UNSET
    dns_name: Text | UnsetType = UNSET
    dns_domain: Text | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    project_id: Owner | UnsetType = UNSET
    tenant_id: Owner | UnsetType = UNSET


class FloatingIp(Bulk):
    floatingip: FloatingIpIn | UnsetType = UNSET
    floatingips: Annotated[list[FloatingIpIn], Meta(max_length=MOST_AT_ONCE)] | UnsetType = UNSET


class FloatingIpChangeIn(Body):
    port_id: Id | UnsetType | None = UNSET
    fixed_ip_address: Text | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET


class FloatingIpChange(Body):
    floatingip: FloatingIpChangeIn


class SecurityGroupIn(Common, kw_only=True):
    stateful: bool | UnsetType = UNSET


class SecurityGroup(Bulk):
    security_group: SecurityGroupIn | UnsetType = UNSET
    security_groups: Annotated[list[SecurityGroupIn], Meta(max_length=MOST_AT_ONCE)] | UnsetType = UNSET


class SecurityGroupChangeIn(Body):
    name: Text | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    stateful: bool | UnsetType = UNSET


class SecurityGroupChange(Body):
    security_group: SecurityGroupChangeIn


class RuleIn(Body, kw_only=True):
    security_group_id: Id
    direction: Literal["ingress", "egress"]
    ethertype: Text | UnsetType | None = UNSET
    protocol: Text | int | UnsetType | None = UNSET
    port_range_min: int | Text | UnsetType | None = UNSET
    port_range_max: int | Text | UnsetType | None = UNSET
    remote_ip_prefix: Text | UnsetType | None = UNSET
    remote_group_id: Id | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    project_id: Owner | UnsetType = UNSET
    tenant_id: Owner | UnsetType = UNSET


class Rule(Bulk):
    security_group_rule: RuleIn | UnsetType = UNSET
    security_group_rules: Annotated[list[RuleIn], Meta(max_length=MOST_AT_ONCE)] | UnsetType = UNSET


class AgentChangeIn(Body):
    admin_state_up: bool | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET


class AgentChange(Body):
    agent: AgentChangeIn


Limit = Annotated[int, Meta(ge=-1, le=2**31 - 1)]


class QuotaIn(LooseBody):
    network: Limit | UnsetType = UNSET
    subnet: Limit | UnsetType = UNSET
    port: Limit | UnsetType = UNSET
    router: Limit | UnsetType = UNSET
    floatingip: Limit | UnsetType = UNSET
    subnetpool: Limit | UnsetType = UNSET
    security_group: Limit | UnsetType = UNSET
    security_group_rule: Limit | UnsetType = UNSET
    force: bool = False
    check_limit: bool = False


class Quota(Body):
    quota: QuotaIn


TagText = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^,/\x00-\x1f\x7f]*\Z")]


class Tags(Body):
    tags: Annotated[list[TagText], Meta(max_length=50)]


def given(part: msgspec.Struct) -> dict[str, Any]:
    """The fields of a body that were present, nested bodies as dicts too."""
    found = {}
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if value is UNSET:
            continue
        if isinstance(value, (GatewayIn, FixedIpIn)):
            value = given(value)
        elif isinstance(value, list) and value and isinstance(value[0], FixedIpIn):
            value = [given(item) for item in value]
        found[name] = value
    return found
