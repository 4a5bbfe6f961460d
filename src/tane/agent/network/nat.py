"""Address translation of a router as nftables text. Pure: documents in, text out."""

from __future__ import annotations

from tane.agent.network.guard import LINK_LOCAL
from tane.agent.network.plan import METADATA_ADDRESS, METADATA_PORT, ROUTER_METADATA_PORT, leg_name
from tane.wire.documents import Router

TABLE = "tane"


def floating_addresses(router: Router) -> dict[str, str]:
    """Floating address → fixed address, of those that have a way outside from here."""
    return {
        floating.floating_ip_address: floating.fixed_ip_address
        for floating in router.floating_ips
        if router.gateway is not None or floating.leg is not None
    }


def nat_rules(router: Router, floating: dict[str, str]) -> str:
    """The whole table of one router.

    A connection between two guests of the router by way of a floating address is given the caller's own floating
    address or, without one, the router's: else the answer would bypass the router and not be recognised. Of a router
    on several hosts that is the gateway's, since its other addresses are on each.
    """
    lines = [
        f"table ip {TABLE}",
        f"delete table ip {TABLE}",
        f"table ip {TABLE} {{",
        *_map("to_fixed", floating),
        *_map("to_floating", {fixed: address for address, fixed in floating.items()}),
        "chain prerouting { type nat hook prerouting priority dstnat; policy accept;",
        f'iifname "qr-*" ip daddr {METADATA_ADDRESS} tcp dport {METADATA_PORT} redirect to :{ROUTER_METADATA_PORT}',
        # The first packet of each connection comes by here: the next one is a first one again.
        f"ip daddr {LINK_LOCAL} drop",
        "dnat to ip daddr map @to_fixed",
        "}",
        "chain postrouting { type nat hook postrouting priority srcnat; policy accept;",
        *_source_rules(router),
        "}",
        "}",
        "",
    ]
    return "\n".join(lines)


def _map(name: str, pairs: dict[str, str]) -> list[str]:
    elements = ", ".join(f"{key} : {value}" for key, value in sorted(pairs.items()))
    return [f"map {name} {{ type ipv4_addr : ipv4_addr;" + (f" elements = {{ {elements} }}" if elements else "") + " }"]


def _source_rules(router: Router) -> list[str]:
    rules = ['iifname "qr-*" oifname "qr-*" ct status dnat snat to ip saddr map @to_floating']
    gateway = router.gateway
    own = gateway.ip_address if gateway is not None and gateway.enable_snat and ":" not in gateway.ip_address else None
    if router.transit is not None and own is not None:
        rules += [f'iifname "{inner}" oifname "qr-*" ct status dnat snat to {own}' for inner in ("qr-*", "rt-*")]
    else:
        rules.append('iifname "qr-*" oifname "qr-*" ct status dnat masquerade')
    rules.append('iifname "qr-*" oifname "qg-*" snat to ip saddr map @to_floating')
    if gateway is not None and own is not None:
        leg = leg_name("qg-", gateway.port_id)
        rules += [f'iifname "{inner}" oifname "{leg}" snat to {own} fully-random' for inner in ("qr-*", "rt-*")]
    return rules
