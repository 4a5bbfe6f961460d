"""Ports as the API makes, changes and deletes them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence, Set
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import select
from sqlalchemy import update as sql_update
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.hosts import store as hosts
from tane.jobs import enqueue
from tane.services.network.domain import revisions
from tane.services.network.domain.addresses import Allocator, refuse_many
from tane.services.network.domain.common import check_room, no_port, owner, require, visible_network
from tane.services.network.domain.convergence import PortChange, bound_elsewhere, changed, groups_of, ports_gone
from tane.services.network.domain.dhcp import serve
from tane.services.network.domain.dns_names import check_dns_domain, check_dns_name, check_free
from tane.services.network.domain.new_ports import NewPort, PortMaker, waiting_status
from tane.services.network.domain.port_rules import (
    check_pairs,
    check_security,
    parse_mac,
    refuse_foreign,
)
from tane.services.network.domain.security_groups import default_group, resolve
from tane.services.network.domain.service_ports import LABELS, check_change, check_leg, is_kept, refuse_owner
from tane.services.network.domain.subnet_rules import parse_address
from tane.services.network.orders import DETACH_INTERFACE, DetachInterface
from tane.services.network.store import addresses, rows
from tane.services.network.tables import (
    DHCP,
    ROUTER_INTERFACE,
    ROUTER_OWNERS,
    SERVICE_OWNERS,
    floating_ip,
    network,
    port,
    port_security_group,
    subnet,
)
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden
from tane.web.policy import Policy

IN_GROUPS = {"fixed_ips", "allowed_address_pairs", "binding_host"}
"""A change of these is one of the addresses that the port's groups have, for all who let them in."""
ELSEWHERE = {"fixed_ips", "mac_address", "binding_host"}
"""A change of these is one for the other hosts of the network."""
TOLD = IN_GROUPS | ELSEWHERE | {"admin_state_up", "port_security_enabled", "dns_name", "security_groups"}
"""What the port's own host is told of it."""
CHANGEABLE_OF_KEPT = LABELS | {"fixed_ips", "admin_state_up"}


def create(core: Core, ctx: Context, asked: Sequence[dict[str, Any]]) -> list[str]:
    """:raises NotFound: no such network. :raises Conflict: no address left, an address taken, over quota."""
    with core.db.write() as tx:
        maker = PortMaker(tx)
        wanted = dict.fromkeys(item["network_id"] for item in asked)
        networks = {network_id: visible_network(tx, ctx, network_id) for network_id in wanted}
        default_of = functools.cache(functools.partial(default_group, tx))
        projects = [owner(ctx, item) for item in asked]
        check_room(tx, "port", projects)
        for network_id, row in networks.items():
            if len(asked) > 1:
                maker.expect(row, sum(item["network_id"] == network_id for item in asked))
        new = [
            _new_port(tx, core.policy, ctx, networks[item.pop("network_id")], project_id, item, default_of)
            for item, project_id in zip(asked, projects, strict=True)
        ]
        made = [maker.add(port) for port in new]
        maker.insert()
    return made


def _new_port(
    tx: Tx,
    policy: Policy,
    ctx: Context,
    holder: Row[Any],
    project_id: str,
    values: dict[str, Any],
    default_of: Callable[[str], str],
) -> NewPort:
    """``default_of`` tells a project's default security group."""
    _refuse_outside(ctx, holder)
    refuse_foreign(policy, ctx, holder, values, "create")
    refuse_owner(values)
    values = {name: value for name, value in values.items() if value is not None}
    secured = values.get("port_security_enabled", holder.port_security_enabled)
    device_owner = values.get("device_owner", "")
    asked_groups = values.pop("security_groups", None)
    if asked_groups is not None:
        groups = resolve(tx, ctx, project_id, asked_groups)
    else:
        groups = [default_of(project_id)] if secured and not device_owner.startswith("network:") else []
    if groups and not secured:
        raise BadRequest(
            "Port security must be enabled and port must have an IP address in order to use security groups.",
            type="PortSecurityAndIPRequiredForSecurityGroups",
        )
    asked_mac = values.pop("mac_address", None)
    mac = parse_mac(asked_mac) if asked_mac else None
    pairs = check_pairs(values.pop("allowed_address_pairs", []), mac)
    check_security(port_security=secured, group_ids=groups, pairs=pairs)
    values.update(_binding(tx, values.pop("binding_host", "")))
    values["port_security_enabled"] = secured
    values["dns_name"] = check_free(tx, holder, project_id, check_dns_name(values.get("dns_name", "")))
    values["dns_domain"] = check_dns_domain(values.get("dns_domain", ""))
    return NewPort(
        **values,
        network=holder,
        project_id=project_id,
        mac_address=mac,
        allowed_address_pairs=pairs,
        security_group_ids=groups,
    )


def _refuse_outside(ctx: Context, holder: Row[Any]) -> None:
    """An external network is there for gateways and floating IPs, which have quotas of their own. Other ports on it are
    its owner's to make, or everybody's when it is shared, too.

    :raises Forbidden: the caller may not.
    """
    if holder.external and not holder.shared and not ctx.sees(holder.project_id):
        raise Forbidden(
            "A project's own ports are not on an external network: put the port on a network of the project, lead a "
            "router of it to the external one, and give the port a floating IP. (rule:create_port is disallowed by "
            "policy)",
            type="PolicyNotAuthorized",
        )


def _binding(tx: Tx, host_name: str) -> dict[str, Any]:
    """The columns of a binding to a host, given by name (or id). An unknown host is kept: the binding fails."""
    if not host_name:
        return {"host_id": None, "binding_host": ""}
    known = hosts.by_name(tx, host_name) or hosts.get(tx, host_name)
    if known is None:
        return {"host_id": None, "binding_host": host_name}
    return {"host_id": known.id, "binding_host": known.name}


def update(core: Core, ctx: Context, port_id: str, values: dict[str, Any]) -> None:
    with core.db.write() as tx:
        row = require(ctx, rows.get(tx, port, port_id), no_port(port_id))
        holder = rows.get(tx, network, row.network_id)
        assert holder is not None
        if is_kept(row):
            check_change(ctx, row, holder.project_id, values)
            # What is left of them says what is so already.
            values = {name: value for name, value in values.items() if name in CHANGEABLE_OF_KEPT}
        refuse_foreign(core.policy, ctx, holder, values, "update")
        refuse_owner(values, row.device_owner)
        _refuse_taking(row, values)
        told, groups = TOLD & values.keys(), groups_of(tx, [port_id]).get(port_id, ())
        new_groups = _checked_security(tx, ctx, row, values)
        readdressed, fixed_ips = "fixed_ips" in values, values.pop("fixed_ips", None) or []
        if "mac_address" in values:
            values["mac_address"] = _new_mac(tx, row, values["mac_address"])
        if "dns_name" in values:
            name = check_dns_name(values["dns_name"] or "")
            values["dns_name"] = check_free(tx, holder, row.project_id, name)
        if "dns_domain" in values:
            values["dns_domain"] = check_dns_domain(values["dns_domain"] or "")
        if "binding_host" in values:
            values.update(_binding(tx, values["binding_host"] or ""))
        for name in ("name", "description", "device_id", "device_owner"):
            if name in values:
                values[name] = values[name] or ""
        # First the row: an event shows it, and what changes beside it afterwards is no other one.
        rows.change(tx, port, port_id, {**values, **_status_after(row, values)})
        if new_groups is not None:
            set_groups(tx, port_id, new_groups)
        if readdressed:
            _change_addresses(tx, row, fixed_ips)
        if told:
            _tell(tx, row, values, told, groups)
        tx.notify(f"port:{port_id}")


def _tell(tx: Tx, row: Row[Any], values: dict[str, Any], told: Set[str], groups: Sequence[str]) -> None:
    """Who has to know of a changed port. ``groups`` are those it was in."""
    if row.device_owner in ROUTER_OWNERS:
        changed(tx, routers=[row.device_id], networks=[row.network_id])
        return
    if is_kept(row):
        return
    at = [row.host_id, values.get("host_id", row.host_id)]
    before, now = set(groups), set(groups_of(tx, [row.id]).get(row.id, ()))
    held = before | now if told & IN_GROUPS else before ^ now
    hosts_of = tuple(dict.fromkeys(host_id for host_id in at if host_id is not None))
    news = PortChange(row.id, row.network_id, hosts_of, tuple(sorted(held)), bool(told & ELSEWHERE))
    if len(set(at)) > 1:
        bound_elsewhere(tx, [news])
    else:
        changed(tx, ports=[news])


def _refuse_taking(row: Row[Any], values: dict[str, Any]) -> None:
    """A server's port changes hands through the compute API only, which also changes the server."""
    taken = any(name in values and (values[name] or "") != getattr(row, name) for name in ("device_id", "device_owner"))
    if taken and row.device_order:
        raise Conflict(
            f"Unable to complete operation on port {row.id} for network {row.network_id}. Port already has an attached "
            f"device {row.device_id}.",
            type="PortInUse",
        )


def _status_after(row: Row[Any], values: dict[str, Any]) -> dict[str, Any]:
    """A changed binding or switch starts the port's state anew."""
    up, host_id = values.get("admin_state_up", row.admin_state_up), values.get("host_id", row.host_id)
    if (up, host_id) == (row.admin_state_up, row.host_id):
        return {}
    return {"status": waiting_status(admin_state_up=up, host_id=host_id), "fault": None}


def _checked_security(tx: Tx, ctx: Context, row: Row[Any], values: dict[str, Any]) -> list[str] | None:
    """Groups, address pairs and port security, which depend on each other; returns the groups that the port is to be
    in, None: as it is."""
    groups = [r.security_group_id for r in tx.rows(port_security_group, port_id=row.id)]
    asked = None
    if "security_groups" in values:
        groups = asked = resolve(tx, ctx, row.project_id, values.pop("security_groups") or [])
    pairs = row.allowed_address_pairs
    if "allowed_address_pairs" in values:
        mac = row.mac_address
        pairs = [
            {**p, "mac_address": p["mac_address"] or mac}
            for p in check_pairs(values["allowed_address_pairs"] or [], mac)
        ]
        values["allowed_address_pairs"] = pairs
    secured = values.get("port_security_enabled", row.port_security_enabled)
    check_security(port_security=secured, group_ids=groups, pairs=pairs)
    return asked


def set_groups(tx: Tx, port_id: str, group_ids: Sequence[str]) -> None:
    table = port_security_group
    tx.execute(sql_delete(table).where(table.c.port_id == port_id))
    rows.add(tx, table, [{"port_id": port_id, "security_group_id": group_id} for group_id in group_ids])


def _change_addresses(tx: Tx, row: Row[Any], asked: list[dict[str, Any]]) -> None:
    """Keep the addresses that are asked for again, release the others, add the new ones."""
    present = addresses.of_ports(tx, [row.id]).get(row.id, [])
    refuse_many(len(asked))
    asked = [_canonical(item) for item in asked]
    kept: list[Row[Any]] = []
    wanted: list[dict[str, Any]] = []
    for item in asked:
        same = [
            held
            for held in present
            if held not in kept
            and item.get("subnet_id") in (None, held.subnet_id)
            and item.get("ip_address") in (None, held.ip_address)
        ]
        if same:
            kept.append(same[0])
        else:
            wanted.append(item)
    gone = [held for held in present if held not in kept]
    if gone:
        disassociate(tx, row.id, [held.ip_address for held in gone])
        addresses.release(tx, gone)
    if wanted:
        subnets = rows.find(tx, subnet, network_id=row.network_id)
        given = Allocator(tx, row.network_id, subnets).wanted(wanted, row.mac_address, row.device_owner)
        addresses.add(tx, row.id, given)
    if row.device_owner == ROUTER_INTERFACE:
        check_leg(tx, row, {held.subnet_id for held in present})


def _canonical(item: dict[str, Any]) -> dict[str, Any]:
    """An entry of ``fixed_ips`` with its address as it is kept. :raises BadRequest: it is none."""
    if item.get("ip_address") is None:
        return item
    return {**item, "ip_address": str(parse_address("fixed_ips", item["ip_address"]))}


def _new_mac(tx: Tx, row: Row[Any], text: str) -> str:
    mac = parse_mac(text)
    if mac == row.mac_address:
        return mac
    if row.host_id is not None or row.device_order:
        raise Conflict(
            f"Unable to complete operation on port {row.id}, port is already bound, port type: bridge, old_mac "
            f"{row.mac_address}, new_mac {mac}.",
            type="PortBound",
        )
    if addresses.macs_taken(tx, row.network_id, [mac]):
        raise Conflict(
            f"Unable to complete operation for network {row.network_id}. The mac address {mac} is in use.",
            type="MacAddressInUse",
        )
    return mac


def delete(core: Core, ctx: Context, port_id: str) -> None:
    """:raises Conflict: (ServicePortInUse) it belongs to a router or floating IP."""
    with core.db.write() as tx:
        row = rows.get(tx, port, port_id)
        if row is None or not (ctx.sees(row.project_id) or _owns_network(tx, ctx, row.network_id)):
            raise no_port(port_id)
        revisions.check(row)
        if row.device_owner in SERVICE_OWNERS:
            raise Conflict(
                f"Port {port_id} cannot be deleted directly via the port API: has device owner {row.device_owner}.",
                type="ServicePortInUse",
            )
        remove(tx, [port_id])
        if row.device_order:
            # As Nova does when Neutron tells it.
            order_detach(tx, ctx, row.device_id, row.id, owner=row.project_id)
        if row.device_owner == DHCP:
            serve(tx, rows.get(tx, network, row.network_id))
            changed(tx, networks=[row.network_id])


def order_detach(tx: Tx, ctx: Context, server_id: str, port_id: str, *, owner: str) -> None:
    """Let a server's guest lose the interface of a port, which may be deleted already. ``owner``: the server's project;
    the port's is the same but where an administrator attached another's."""
    params = DetachInterface(server_id, port_id)
    enqueue(tx, DETACH_INTERFACE, params, resource=f"server:{server_id}", by=ctx, owner=owner)


def _owns_network(tx: Tx, ctx: Context, network_id: str) -> bool:
    holder = rows.get(tx, network, network_id)
    return holder is not None and ctx.sees(holder.project_id)


def remove(tx: Tx, port_ids: Sequence[str]) -> None:
    """Delete ports, and tell their hosts; floating IPs that led to them stay, unassociated."""
    ports_gone(tx, rows.among(tx, port, "id", port_ids))
    for port_id in port_ids:
        disassociate(tx, port_id)
        tx.notify(f"port:{port_id}")
    rows.remove(tx, port, port_ids)


def disassociate(tx: Tx, port_id: str, fixed_ips: Sequence[str] | None = None) -> None:
    """Take the floating IPs off a port, or off some of its addresses."""
    theirs = floating_ip.c.fixed_port_id == port_id
    led = tx.all(select(floating_ip.c.router_id, floating_ip.c.floating_network_id).where(theirs).distinct())
    if not led:
        return
    changed(tx, routers={row.router_id for row in led} - {None}, networks={row.floating_network_id for row in led})
    statement = sql_update(floating_ip).where(theirs)
    if fixed_ips is not None:
        statement = statement.where(floating_ip.c.fixed_ip_address.in_(fixed_ips))
    tx.execute(
        statement.values(
            fixed_port_id=None,
            fixed_ip_address=None,
            router_id=None,
            status="DOWN",
            fault=None,
            forwarded=None,
            updated_at=tx.now,
            revision_number=floating_ip.c.revision_number + 1,
        )
    )
