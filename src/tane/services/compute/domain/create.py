"""Creating servers: everything they claim is written in one transaction (Compute API: "Create server")."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import secrets
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.hosts import store as hosts
from tane.services.compute.domain import block_devices, demands, flavors, hardware, keypairs, quotas, scheduler
from tane.services.compute.domain.common import hostname_of, ip_or_empty, new_id, queue
from tane.services.compute.domain.states import NOSTATE
from tane.services.compute.orders import CREATE_SERVER, CreateServer
from tane.services.compute.schemas import NetworkIn, SchedulerHints, ServerCreateIn
from tane.services.compute.store import groups, nic_tags, servers
from tane.services.compute.store import keypairs as keypair_store
from tane.services.image import interface as image
from tane.services.network import interface as network
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound

GIB = 1 << 30
ATTACH_NETWORK, ATTACH_VOLUME = (f"os_compute_api:servers:create:attach_{what}" for what in ("network", "volume"))


@dataclass(frozen=True)
class Created:
    """What the caller is told once: the servers, and the password their guests may set."""

    server_ids: list[str]
    reservation_id: str
    admin_pass: str


@dataclass(frozen=True)
class Order:
    """A request whose names and references are resolved."""

    body: ServerCreateIn
    flavor: Row[Any]
    disks: block_devices.Disks
    image_ref: str | None
    image_properties: dict[str, str]
    root_device: str
    networks: list[network.PortSpec]
    wanted: scheduler.Wanted
    public_key: str | None
    admin_pass: str


def new_password() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(12))


def create(core: Core, ctx: Context, body: ServerCreateIn, hints: SchedulerHints) -> Created:
    """Write the servers with their ports, volumes, host claims and jobs.

    :raises BadRequest, Conflict, Forbidden: as upstream; nothing was written then.
    """
    least = body.min_count or 1
    most = body.max_count or least
    if least > most:
        raise BadRequest("min_count must be <= max_count")
    _check_values(body, most)
    for rule in _rules(body):
        if not core.policy.allows(rule, ctx):
            raise Forbidden(f"Policy doesn't allow {rule} to be performed.")
    with core.db.write() as tx:
        order = _resolve(tx, core, ctx, body, hints, most)
        count = quotas.affordable(tx, ctx.project_id, order.flavor.vcpus, order.flavor.ram, least, most)
        reservation_id = "r-" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
        known, made = scheduler.Hosts(tx, core.config), []
        for index in range(count):
            name = f"{body.name}-{index + 1}" if most > 1 else body.name
            made.append(_write(tx, core, ctx, order, known, name, index, reservation_id))
        return Created(made, reservation_id, order.admin_pass)


def _rules(body: ServerCreateIn) -> Iterator[str]:
    """What must be allowed besides the server: also what is made by other services for it."""
    if body.networks:
        yield ATTACH_NETWORK
    given = isinstance(body.networks, list) and body.networks and all(entry.port for entry in body.networks)
    if not given and body.networks != "none":
        yield "create_port"
    if body.block_device_mapping_v2:
        yield ATTACH_VOLUME
    usual = {"image": "local", "blank": "local", "snapshot": "volume"}
    made = [one for one in body.block_device_mapping_v2 if one.source_type in usual]
    if any((one.destination_type or usual[one.source_type]) == "volume" for one in made):
        yield "volume:create"
    if any("volume" in (one.destination_type, one.source_type) for one in body.block_device_mapping_v2):
        yield "volume:attachment_create"


def _check_values(body: ServerCreateIn, count: int) -> None:
    body.accessIPv4 = ip_or_empty(body.accessIPv4, "accessIPv4", 4)
    body.accessIPv6 = ip_or_empty(body.accessIPv6, "accessIPv6", 6)
    check_user_data(body.user_data)
    if body.personality:
        raise BadRequest("Personality files are not supported; use user_data or a config drive instead.")
    if body.trusted_image_certificates:
        raise BadRequest("Certificate validation of images is not supported: trusted_image_certificates.")
    if count > 1:
        if body.hostname is not None:
            raise BadRequest(
                "Unable to launch multiple instances with a single configured hostname. "
                "Please launch your instance one by one with different hostnames."
            )
        if isinstance(body.networks, list) and any(entry.port for entry in body.networks):
            raise BadRequest(
                "Unable to launch multiple instances with a single configured port ID. "
                "Please launch your instance one by one with different ports."
            )
        if isinstance(body.networks, list) and any(entry.fixed_ip for entry in body.networks):
            raise BadRequest("max_count cannot be greater than 1 if an fixed_ip is specified.")
        if any(device.source_type == "volume" for device in body.block_device_mapping_v2):
            raise BadRequest("Cannot attach one or more volumes to multiple instances")


def check_user_data(user_data: str | None) -> None:
    """Base64 may be broken into lines, as ``base64`` and many libraries write it. :raises BadRequest: it is none."""
    if user_data is not None:
        try:
            base64.b64decode("".join(user_data.split()), validate=True)
        except (binascii.Error, ValueError):
            raise BadRequest(
                "Invalid input for field/attribute user_data. The value is not a 'base64' string."
            ) from None


def _resolve(tx: Tx, core: Core, ctx: Context, body: ServerCreateIn, hints: SchedulerHints, count: int) -> Order:
    try:
        flavor = flavors.require(tx, ctx, id_of(str(body.flavorRef)))
    except NotFound as error:
        raise BadRequest(error.message) from None
    quotas.refuse_metadata_over_quota(tx, ctx.project_id, len(body.metadata))
    image_id, devices, properties = id_of(body.imageRef), body.block_device_mapping_v2, {}
    if image_id:
        info = require_image(tx, ctx, image_id)
        _refuse_little_memory(info, flavor)
        image_id, devices = block_devices.with_image(image_id, devices, block_devices.of_image(info.properties))
    disks = block_devices.plan(image_id, devices, flavor)
    if disks.image_id is not None:
        info = require_image(tx, ctx, disks.image_id)
        properties = info.properties
        refuse_too_small(info, flavor)
        if flavor.disk == 0 and not core.policy.allows("os_compute_api:servers:create:zero_disk_flavor", ctx):
            raise Forbidden("Only volume-backed servers are allowed for flavors with zero disk.")
    elif disks.root is not None and disks.root.source == "image" and disks.root.source_id:
        info = require_image(tx, ctx, disks.root.source_id)
        properties = info.properties
        _refuse_little_memory(info, flavor)
    elif disks.root is not None:
        properties = block_devices.image_metadata(tx, ctx, disks.root)
    machine = hardware.of(properties, flavor.extra_specs, flavor.vcpus)
    owner = info.owner if disks.image_id is not None else None
    require_kernel(tx, ctx, properties, (ctx.project_id, owner))
    public_key = None
    if body.key_name is not None:
        row = keypair_store.get(tx, ctx.user_id, body.key_name)
        if row is None:
            raise BadRequest("Invalid key_name provided.")
        public_key = keypairs.line_of(row)
    return Order(
        body=body,
        flavor=flavor,
        disks=disks,
        image_ref=(id_of(body.imageRef) or None) if disks.image_id is None else None,
        image_properties=hardware.recorded(properties),
        root_device=hardware.root_device(machine),
        networks=_networks(tx, ctx, body),
        wanted=dataclasses.replace(
            _wanted(tx, core, ctx, body, hints, flavor, disks, count),
            demands=demands.of(properties, flavor.extra_specs),
        ),
        public_key=public_key,
        admin_pass=body.adminPass or new_password(),
    )


def id_of(reference: str) -> str:
    """The id in an ``imageRef`` or ``flavorRef``, which may also be a link."""
    return reference.rstrip("/").rsplit("/", 1)[-1]


def require_kernel(tx: Tx, ctx: Context, properties: Mapping[str, Any], projects: Iterable[str | None]) -> None:
    """``projects``: those by whose rights the host is given it, the server's and the owner of the image that names it.

    :raises BadRequest: the caller, or each of these, may not use what an image's disk is booted by.
    """
    for kernel in ("kernel_id", "ramdisk_id"):
        if properties.get(kernel):
            try:
                require_image(tx, ctx, properties[kernel])
            except BadRequest as error:
                raise BadRequest(f"The image's {kernel}: {error.message}") from None
            # An administrator sees what these may not use.
            if image.kernel_of_disk(tx, properties[kernel], projects) is None:
                raise BadRequest(f"The image's {kernel}: image {properties[kernel]} is not shared with this project.")


def require_image(tx: Tx, ctx: Context, image_id: str) -> image.ImageInfo:
    """:raises BadRequest: the caller may not use it, or it has no data yet."""
    try:
        info = image.visible_image(tx, ctx, image_id)
    except NotFound:
        raise BadRequest(f"Image {image_id} could not be found.") from None
    if info.status != "active" or info.ref is None:
        raise BadRequest(f"Image {image_id} is not active.")
    if info.container_format not in image.DISK_CONTAINERS:
        raise BadRequest(
            f"Image {image_id} has container_format {info.container_format}, of which no disk is made; "
            f"it must be one of: {', '.join(image.DISK_CONTAINERS)}."
        )
    return info


def refuse_too_small(info: image.ImageInfo, flavor: Row[Any]) -> None:
    """:raises BadRequest: the image needs more memory or disk than the flavor has (a disk of 0 fits every image)."""
    _refuse_little_memory(info, flavor)
    size = info.virtual_size or info.size or 0
    if not size:
        raise BadRequest(f"Image {info.id} is empty.")
    if flavor.disk:
        if size > flavor.disk * GIB:
            raise BadRequest(
                "Flavor's disk is too small for requested image. "
                f"Flavor disk is {flavor.disk * GIB} bytes, image is {size} bytes."
            )
        if info.min_disk > flavor.disk:
            raise BadRequest(
                "Flavor's disk is smaller than the minimum size specified in image metadata. "
                f"Flavor disk is {flavor.disk * GIB} bytes, minimum size is {info.min_disk * GIB} bytes."
            )


def _refuse_little_memory(info: image.ImageInfo, flavor: Row[Any]) -> None:
    if info.min_ram > flavor.ram:
        raise BadRequest("Flavor's memory is too small for requested image.")


def _networks(tx: Tx, ctx: Context, body: ServerCreateIn) -> list[network.PortSpec]:
    if body.networks == "none":
        return []
    if isinstance(body.networks, list) and body.networks:
        return [_port_spec(entry) for entry in body.networks]
    usable = network.usable_networks(tx, ctx.project_id)
    if len(usable) > 1:
        raise Conflict("Multiple possible networks found, use a Network ID to be more specific.")
    if not usable and body.networks == "auto":
        raise BadRequest(f"Unable to automatically allocate a network for project {ctx.project_id}: it has no network.")
    return [network.PortSpec(network_id=row.id) for row in usable]


def _port_spec(entry: NetworkIn) -> network.PortSpec:
    if entry.port is None and entry.uuid is None:
        raise BadRequest("Bad network format: missing 'uuid'")
    if entry.port is not None and entry.fixed_ip is not None:
        raise BadRequest(
            f"Specified Fixed IP '{entry.fixed_ip}' cannot be used with port '{entry.port}': "
            "the two cannot be specified together."
        )
    network_id = None if entry.port is not None else entry.uuid
    return network.PortSpec(network_id=network_id, port_id=entry.port, fixed_ip=entry.fixed_ip, tag=entry.tag)


def _wanted(
    tx: Tx,
    core: Core,
    ctx: Context,
    body: ServerCreateIn,
    hints: SchedulerHints,
    flavor: Row[Any],
    disks: block_devices.Disks,
    count: int,
) -> scheduler.Wanted:
    zone, host, force = body.availability_zone, body.host or body.hypervisor_hostname, False
    if host is not None:
        if not core.policy.allows("compute:servers:create:requested_destination", ctx):
            raise Forbidden("Policy doesn't allow compute:servers:create:requested_destination to be performed.")
        if hosts.by_name(tx, host) is None:
            raise BadRequest(f"Compute host {host} could not be found.")
    if zone is not None and ":" in zone:
        if not core.policy.allows("os_compute_api:servers:create:forced_host", ctx):
            raise Forbidden("Policy doesn't allow os_compute_api:servers:create:forced_host to be performed.")
        zone, _, rest = zone.partition(":")
        host, force = rest.split(":")[0] or rest.split(":")[-1], True
    if zone and zone not in scheduler.zone_names(tx):
        raise BadRequest("The requested availability zone is not available")
    group = None
    if hints.group is not None:
        group = groups.get(tx, hints.group)
        if group is None or not ctx.sees(group.project_id):
            raise BadRequest(f"Instance group {hints.group} could not be found.")
        limit = quotas.limits(tx, ctx.project_id)["server_group_members"]
        if 0 <= limit < len(groups.members(tx, [group.id]).get(group.id, [])) + count:
            raise Forbidden("Quota exceeded, too many servers in group")
    return scheduler.Wanted(
        vcpus=flavor.vcpus,
        ram_mb=flavor.ram,
        disk_gb=scheduler.local_gb(flavor.disk if disks.image_id else 0, flavor.ephemeral, flavor.swap),
        zone=zone or None,
        host=host,
        force=force,
        same_host=_seen(tx, ctx, hints.same_host),
        different_host=_seen(tx, ctx, hints.different_host),
        group=group,
    )


def _seen(tx: Tx, ctx: Context, value: str | list[str]) -> tuple[str, ...]:
    """Those of the servers that the caller sees: where others' are is none of its business."""
    rows = servers.of_ids(tx, [value] if isinstance(value, str) else value)
    return tuple(row.id for row in rows if ctx.sees(row.project_id))


def _write(
    tx: Tx,
    core: Core,
    ctx: Context,
    order: Order,
    known: scheduler.Hosts,
    name: str,
    index: int,
    reservation_id: str,
) -> str:
    body, server_id = order.body, new_id()
    host = scheduler.choose(tx, core.config, order.wanted, known)
    hostname = body.hostname or hostname_of(name, server_id)
    drive = body.config_drive is True
    # A guest that reaches no metadata address learns its name and keys from a config drive, asked for or not.
    drive = drive or (not isinstance(host, str) and not host.capabilities.get("metadata_service", True))
    servers.add(
        tx,
        id=server_id,
        project_id=ctx.project_id,
        user_id=ctx.user_id,
        name=name,
        hostname=hostname,
        description=body.description,
        flavor_id=order.flavor.id,
        flavor=flavors.embedded(order.flavor),
        vcpus=order.wanted.vcpus,
        ram_mb=order.wanted.ram_mb,
        disk_gb=order.wanted.disk_gb,
        image_id=order.disks.image_id,
        image_ref=order.image_ref,
        image_properties=order.image_properties,
        key_name=body.key_name,
        public_key=order.public_key,
        metadata=body.metadata,
        user_data=body.user_data,
        admin_pass=order.admin_pass if drive else None,
        config_drive=drive,
        availability_zone=order.wanted.zone,
        host_id=None if isinstance(host, str) else host.id,
        host_name=None if isinstance(host, str) else host.name,
        vm_state="building",
        task_state="scheduling",
        power_state=NOSTATE,
        access_ip_v4=body.accessIPv4,
        access_ip_v6=body.accessIPv6,
        disk_config=body.disk_config,
        root_device_name=order.root_device,
        reservation_id=reservation_id,
        launch_index=index,
        group_id=order.wanted.group.id if order.wanted.group is not None else None,
        progress=0,
        deleted=False,
    )
    if body.tags:
        servers.set_tags(tx, server_id, body.tags)
    if not isinstance(host, str):
        known.take(tx, server_id, host.id, order.wanted.amounts)
        _claim_ports(tx, ctx, order, server_id, host.id, hostname)
        block_devices.claim(tx, ctx, server_id, host.name, order.disks, order.flavor, order.root_device)
    refused = host if isinstance(host, str) else ""
    queue(tx, ctx, CREATE_SERVER, CreateServer(server_id, refused=refused), owner=ctx.project_id)
    return server_id


def _claim_ports(tx: Tx, ctx: Context, order: Order, server_id: str, host_id: str, hostname: str) -> None:
    """:raises BadRequest: a network, port or security group does not exist (upstream answers 400 here, not 404)."""
    try:
        port_ids = network.claim_ports(
            tx,
            ctx,
            server_id=server_id,
            project_id=ctx.project_id,
            host_id=host_id,
            hostname=hostname,
            specs=order.networks,
            security_groups=[group.name for group in order.body.security_groups],
        )
    except NotFound as error:
        raise BadRequest(error.message) from None
    for port_id, spec in zip(port_ids, order.networks, strict=True):
        if spec.tag is not None:
            nic_tags.put(tx, server_id, port_id, spec.tag)
