"""The resource types: one file each, found by their names. They are loaded when the first template is read."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tane.nearest import nearest
from tane.services.orchestration.resources.base import Kind

if TYPE_CHECKING:
    from tane.services.orchestration.template import Environment, Template


@functools.cache
def types() -> Mapping[str, Kind]:
    """Every type by its name."""
    found: dict[str, Kind] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for value in vars(loaded).values():
            own = isinstance(value, type) and issubclass(value, Kind) and value.__module__ == loaded.__name__
            if own and value.__dict__.get("name"):
                found[value.name] = value()
    return found


def find(name: str) -> Kind | None:
    return types().get(name)


OCTAVIA = "Tane has no load balancers (Octavia)."
MISSING = {
    "AWS::CloudWatch": "Tane has no CloudWatch; alarms are of OS::Aodh.",
    "AWS::RDS": "Tane has no databases as a service.",
    "OS::Ceilometer": "Alarms are of OS::Aodh.",
    "OS::Barbican": "Tane keeps no secrets for users (Barbican).",
    "OS::Blazar": "Tane has no reservations (Blazar).",
    "OS::Designate": "Tane has no name service with zones of its own (Designate).",
    "OS::Ironic": "Tane has no bare metal yet (Ironic).",
    "OS::Magnum": "Tane has no clusters of containers (Magnum).",
    "OS::Manila": "Tane has no shared file systems (Manila).",
    "OS::Mistral": "Tane has no workflows (Mistral).",
    "OS::Monasca": "Tane has no Monasca; alarms are of OS::Aodh.",
    "OS::Neutron::LBaaS": OCTAVIA,
    "OS::Neutron::TaaS": "Tane's network has no taps.",
    "OS::Octavia": OCTAVIA,
    "OS::Sahara": "Tane has no data processing (Sahara).",
    "OS::Senlin": "Tane has no Senlin; groups are OS::Heat::AutoScalingGroup.",
    "OS::Trove": "Tane has no databases as a service (Trove).",
    "OS::Vitrage": "Tane has no root cause analysis (Vitrage).",
    "OS::Zaqar": "Tane has no queues (Zaqar).",
    "OS::Zun": "Tane has no containers (Zun).",
    "AWS::ElasticLoadBalancing": "Tane has no load balancers.",
}
"""Why there are no types of these."""
MISSING_TYPES = {
    "OS::Glance::Image": "The cloud would have to fetch its data; OS::Glance::WebImage names them.",
    "OS::Nova::FloatingIP": "It went with nova-network; there is OS::Neutron::FloatingIP.",
    "OS::Nova::FloatingIPAssociation": "It went with nova-network; there is OS::Neutron::FloatingIPAssociation.",
}
"""The same of single types."""
MISSING_NETWORKS = {
    "has no address scopes": ("AddressScope",),
    "has no firewalls beside security groups": ("Firewall", "FirewallPolicy", "FirewallRule"),
    "has no forwarding of ports": ("FloatingIPPortForward",),
    "has no chains of ports": ("FlowClassifier", "PortChain", "PortPair", "PortPairGroup"),
    "has no load balancers": ("HealthMonitor", "LoadBalancer", "Pool", "PoolMember"),
    "has no VPNs": ("IKEPolicy", "IPsecPolicy", "IPsecSiteConnection", "VPNService"),
    "has no gateways of layer 2": ("L2Gateway", "L2GatewayConnection", "NetworkGateway"),
    "has no metering labels; traffic is metered by telemetry": ("MeteringLabel", "MeteringRule"),
    "has no quality of service": (
        *("QoSPolicy", "QoSBandwidthLimitRule", "QoSDscpMarkingRule"),
        *("QoSMinimumBandwidthRule", "QoSMinimumPacketRateRule"),
    ),
    "has no rules of whom networks are shared with": ("RBACPolicy",),
    "has no segments": ("Segment",),
    "has no trunks": ("Trunk",),
    "has its extra routes in OS::Neutron::ExtraRouteSet": ("ExtraRoute",),
}
"""What the network has not, and the types that are about it."""


def hint(name: str) -> str:
    """Why there is no such type, or a hint at the one that may be meant, or nothing."""
    family, _, last = name.rpartition("::")
    why = MISSING_TYPES.get(name) or MISSING.get(family)
    if family == "OS::Neutron":
        why = next((f"Tane's network {what}." for what, types in MISSING_NETWORKS.items() if last in types), None)
    if why is not None:
        return f" {why}"
    close = nearest(name, types(), 0.8)
    return f" The nearest is {close}." if close else ""


def nested_template(file: str, template: Template, environment: Environment, files: Mapping[str, str]) -> Kind:
    """The type that a file of the client is."""
    from tane.services.orchestration.resources.nested import NestedTemplate

    return NestedTemplate(file, template, environment, files)


def made_by(known_as: str, type_name: str) -> Kind:
    """The type that a resource was made by, from what its row keeps; of a file the part that needs no template."""
    from tane.services.orchestration.resources.nested import OfStack

    found = find(known_as or type_name)
    return OfStack() if found is None else found


def shown() -> list[str]:
    """Names that lists of types give."""
    return sorted(name for name, kind in types().items() if not kind.hidden)
