"""Request bodies of compute (API reference: Compute API). ``since`` names the microversion a field came with."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from tane.web.codec import Body, LongText, Text255, Uuid, during, since

LONGEST_PASSWORD = 1024
"""Characters of the password of a server's administrator."""
ServerName = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^\S(.*\S)?\Z")]
"""1 to 255 characters without white space at either end."""
Key = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9\-_:. ]+\Z")]
MOST = 1000
"""Entries of a list or a dictionary of a body, where no quota sets a smaller bound."""
Entries = dict[Key, Text255]
Metadata = Annotated[Entries, Meta(max_length=MOST)]
Password = Annotated[str, Meta(max_length=LONGEST_PASSWORD)]
Address = Annotated[str, Meta(max_length=64)]
Certificates = Annotated[list[Text255], Meta(max_length=50)]
"""Nova's bound."""
Personality = Annotated[list[Annotated[dict[Text255, LongText], Meta(max_length=2)]], Meta(max_length=MOST)]
ServerId = Annotated[str, Meta(min_length=1, max_length=255)]
Device = Annotated[str, Meta(pattern=r"^(?!/dev/\Z)(/dev/)?[A-Za-z0-9/_-]{1,27}\Z")]
"""The path under which a guest may know a disk, also without ``/dev/``; with it, it is a ``grammar.BlockDevice``, of at
most the 32 characters that are kept."""
MOST_HINTED = 200
"""Servers beside which, or away from which, another is to be."""
AttachDevice = Annotated[str, Meta(max_length=32, pattern=r"^/dev/x?[a-z]?d?[a-z]+[0-9]*\Z")]
"""The path of a volume that a server is given later: upstream's grammar (nova.block_device.match_device)."""
Word = Annotated[str, Meta(max_length=255, pattern=r"^[a-zA-Z0-9_.-]*\Z")]
Tag = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^,/\x00-\x1f\x7f]*\Z")]
DiskConfig = Literal["AUTO", "MANUAL"]
Hostname = Annotated[str, Meta(min_length=2, max_length=255, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9.-]*\Z"), since("2.90")]
Positive = Annotated[int, Meta(ge=1, le=0x7FFFFFFF)]
NotNegative = Annotated[int, Meta(ge=0, le=0x7FFFFFFF)]
Limit = Annotated[int, Meta(ge=-1, le=0x7FFFFFFF)]
TRUE = ("True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t")
Boolean = (
    bool
    | Literal["True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t"]
    | Literal["False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f"]
)
"""A boolean, also in the words that upstream takes for one (nova.api.validation.parameter_types.boolean)."""


def settle(body: msgspec.Struct, *names: str) -> None:
    """Make booleans of those fields that came as words."""
    for name in names:
        if isinstance(value := getattr(body, name), str):
            setattr(body, name, value in TRUE)


# --------------------------------------------------------------------------------------------------------- flavors


class FlavorIn(Body):
    name: Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^\S(.*\S)?\Z")]
    ram: Positive
    vcpus: Positive
    disk: NotNegative
    id: Text255 | int | None = None
    swap: NotNegative = 0
    rxtx_factor: Annotated[float, Meta(gt=0)] = 1.0
    ephemeral: NotNegative = field(name="OS-FLV-EXT-DATA:ephemeral", default=0)
    is_public: Boolean = field(name="os-flavor-access:is_public", default=True)
    description: Annotated[LongText | None, since("2.55")] = None

    def __post_init__(self) -> None:
        settle(self, "is_public")


class Flavor(Body):
    flavor: FlavorIn


class FlavorUpdateIn(Body):
    description: LongText | None


class FlavorUpdate(Body):
    flavor: FlavorUpdateIn


ExtraSpecs = Metadata


class FlavorExtraSpecs(Body):
    extra_specs: ExtraSpecs


class TenantIn(Body):
    tenant: Annotated[str, Meta(min_length=1, max_length=255)]


class AddTenantAccess(Body):
    addTenantAccess: TenantIn


class RemoveTenantAccess(Body):
    removeTenantAccess: TenantIn


# -------------------------------------------------------------------------------------------------------- keypairs


class KeypairIn(Body):
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    public_key: LongText | None = None
    type: Annotated[Literal["ssh", "x509"], since("2.2")] = "ssh"
    user_id: Annotated[Text255 | None, since("2.10")] = None


class Keypair(Body):
    keypair: KeypairIn


# --------------------------------------------------------------------------------------------------------- servers


class NetworkIn(Body):
    uuid: Uuid | None = None
    port: Uuid | None = None
    fixed_ip: Address | None = None
    tag: Annotated[Tag | None, during(("2.32", "2.36"), ("2.42", None))] = None


class SecurityGroupIn(Body):
    name: Annotated[str, Meta(min_length=1, max_length=255)] = "default"


class BlockDeviceIn(Body):
    source_type: Literal["volume", "image", "snapshot", "blank"] = "volume"
    destination_type: Literal["local", "volume"] | None = None
    uuid: Text255 | None = None
    volume_id: Text255 | None = None
    snapshot_id: Text255 | None = None
    image_id: Text255 | None = None
    volume_size: int | Literal[""] | None = None
    boot_index: int | Text255 | None = None
    delete_on_termination: Boolean = False
    device_name: Device | None = None
    device_type: Word | None = None
    disk_bus: Word | None = None
    guest_format: Word | None = None
    no_device: bool | Text255 | None = None
    tag: Annotated[Tag | None, during(("2.32", "2.32"), ("2.42", None))] = None
    volume_type: Annotated[Text255 | None, since("2.67")] = None

    def __post_init__(self) -> None:
        settle(self, "delete_on_termination")


class ServerCreateIn(Body):
    name: ServerName
    flavorRef: Text255 | int
    imageRef: Text255 = ""
    adminPass: Password | None = None
    metadata: Metadata = {}
    networks: Annotated[list[NetworkIn], Meta(max_length=MOST)] | Literal["auto", "none"] | UnsetType = UNSET
    disk_config: DiskConfig = field(name="OS-DCF:diskConfig", default="AUTO")
    accessIPv4: Address = ""
    accessIPv6: Address = ""
    availability_zone: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    block_device_mapping_v2: Annotated[list[BlockDeviceIn], Meta(max_length=MOST)] = []
    config_drive: Boolean | None = None
    key_name: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    min_count: Positive | None = None
    max_count: Positive | None = None
    return_reservation_id: Boolean = False
    security_groups: Annotated[list[SecurityGroupIn], Meta(max_length=MOST)] = []
    user_data: LongText | None = None
    personality: Annotated[Personality, during((None, "2.56"))] = []
    description: Annotated[Text255 | None, since("2.19")] = None
    tags: Annotated[list[Tag], Meta(max_length=50), since("2.52")] = []
    trusted_image_certificates: Annotated[Certificates | None, since("2.63")] = None
    host: Annotated[Text255 | None, since("2.74")] = None
    hypervisor_hostname: Annotated[Text255 | None, since("2.74")] = None
    hostname: Hostname | None = None

    def __post_init__(self) -> None:
        settle(self, "config_drive", "return_reservation_id")


class SchedulerHints(msgspec.Struct, kw_only=True):
    """Hints that mean something here; others are accepted and ignored, as upstream does."""

    group: Text255 | None = None
    same_host: Text255 | Annotated[list[Text255], Meta(max_length=MOST_HINTED)] = []
    different_host: Text255 | Annotated[list[Text255], Meta(max_length=MOST_HINTED)] = []


class ServerCreate(Body):
    server: ServerCreateIn
    hints: SchedulerHints | None = field(name="os:scheduler_hints", default=None)
    old_hints: SchedulerHints | None = field(name="OS-SCH-HNT:scheduler_hints", default=None)


class ServerUpdateIn(Body):
    name: ServerName | UnsetType = UNSET
    disk_config: DiskConfig | UnsetType = field(name="OS-DCF:diskConfig", default=UNSET)
    accessIPv4: Address | UnsetType = UNSET
    accessIPv6: Address | UnsetType = UNSET
    description: Annotated[Text255 | UnsetType | None, since("2.19")] = UNSET
    hostname: Hostname | UnsetType = UNSET


class ServerUpdate(Body):
    server: ServerUpdateIn


class MetadataBody(Body):
    metadata: Metadata


class MetadataItem(Body):
    meta: Annotated[Entries, Meta(min_length=1, max_length=1)]


class Tags(Body):
    tags: Annotated[list[Tag], Meta(max_length=50)]


# --------------------------------------------------------------------------------------------------------- actions


class RebootIn(Body):
    type: Literal["SOFT", "HARD", "Soft", "Hard", "soft", "hard"]


class Reboot(Body):
    reboot: RebootIn


class RebuildIn(Body):
    imageRef: Annotated[str, Meta(min_length=1, max_length=255)]
    name: ServerName | UnsetType = UNSET
    adminPass: Password | None = None
    metadata: Metadata | UnsetType = UNSET
    preserve_ephemeral: Boolean = False
    disk_config: DiskConfig | UnsetType = field(name="OS-DCF:diskConfig", default=UNSET)
    accessIPv4: Address | UnsetType = UNSET
    accessIPv6: Address | UnsetType = UNSET
    personality: Annotated[Personality, during((None, "2.56"))] = []
    description: Annotated[Text255 | UnsetType | None, since("2.19")] = UNSET
    key_name: Annotated[Text255 | UnsetType | None, since("2.54")] = UNSET
    user_data: Annotated[LongText | UnsetType | None, since("2.57")] = UNSET
    trusted_image_certificates: Annotated[Certificates | None, since("2.63")] = None
    hostname: Hostname | UnsetType = UNSET

    def __post_init__(self) -> None:
        settle(self, "preserve_ephemeral")


class Rebuild(Body):
    rebuild: RebuildIn


class CreateImageIn(Body):
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    metadata: Metadata = {}


class CreateImage(Body):
    createImage: CreateImageIn


class ConsoleOutputIn(Body):
    length: int | None = None


class ConsoleOutput(Body):
    output: ConsoleOutputIn = field(name="os-getConsoleOutput")


class LockIn(Body):
    locked_reason: Annotated[Text255 | None, since("2.73")] = None


class Lock(Body):
    lock: LockIn | None = None


class ResetStateIn(Body):
    state: Literal["active", "error"]


class ResetState(Body):
    reset: ResetStateIn = field(name="os-resetState")


class GroupNameIn(Body):
    name: Annotated[str, Meta(min_length=1, max_length=255)]


class PasswordIn(Body):
    adminPass: Password


class ChangePassword(Body):
    changePassword: PasswordIn


class AddSecurityGroup(Body):
    addSecurityGroup: GroupNameIn


class RemoveSecurityGroup(Body):
    removeSecurityGroup: GroupNameIn


class AddFloatingIpIn(Body):
    address: Annotated[str, Meta(max_length=64)]
    fixed_address: Annotated[str, Meta(max_length=64)] | None = None


class AddFloatingIp(Body):
    addFloatingIp: AddFloatingIpIn


class RemoveFloatingIpIn(Body):
    address: Annotated[str, Meta(max_length=64)]


class RemoveFloatingIp(Body):
    removeFloatingIp: RemoveFloatingIpIn


class ResizeIn(Body):
    flavorRef: Annotated[str, Meta(min_length=1, max_length=255)] | int
    disk_config: DiskConfig | UnsetType = field(name="OS-DCF:diskConfig", default=UNSET)


class Resize(Body):
    resize: ResizeIn


class RescueIn(Body):
    adminPass: Password | None = None
    rescue_image_ref: Uuid | None = None


class Rescue(Body):
    rescue: RescueIn | None = None


class UnshelveIn(Body):
    availability_zone: Annotated[Text255 | UnsetType | None, since("2.77")] = UNSET
    host: Annotated[ServerId | None, since("2.91")] = None


class Unshelve(Body):
    unshelve: UnshelveIn | None = None


class EvacuateIn(Body):
    host: ServerId | None = None
    adminPass: Password | None = None
    onSharedStorage: Annotated[Boolean | None, during((None, "2.13"))] = None
    force: Annotated[Boolean | None, during(("2.29", "2.67"))] = None


class Evacuate(Body):
    evacuate: EvacuateIn


class MigrateIn(Body):
    host: Annotated[ServerId | None, since("2.56")] = None


class Migrate(Body):
    migrate: MigrateIn | None = None


class MigrateLiveIn(Body):
    host: ServerId | None
    block_migration: Literal["auto"] | Boolean
    disk_over_commit: Annotated[Boolean | None, during((None, "2.24"))] = None
    force: Annotated[Boolean | None, during(("2.30", "2.67"))] = None


class MigrateLive(Body):
    migrateLive: MigrateLiveIn = field(name="os-migrateLive")


class ForceComplete(Body):
    force_complete: None


# ----------------------------------------------------------------------------------------------------- attachments


class FixedIpIn(Body):
    ip_address: Address


class InterfaceIn(Body):
    net_id: Uuid | None = None
    port_id: Uuid | None = None
    fixed_ips: Annotated[list[FixedIpIn], Meta(max_length=1)] = []
    tag: Annotated[Tag | None, since("2.49")] = None


class Interface(Body):
    interfaceAttachment: InterfaceIn


class AttachVolumeIn(Body):
    volumeId: Uuid
    device: AttachDevice | None = None
    tag: Annotated[Tag | None, since("2.49")] = None
    delete_on_termination: Annotated[Boolean, since("2.79")] = False

    def __post_init__(self) -> None:
        settle(self, "delete_on_termination")


class AttachVolume(Body):
    volumeAttachment: AttachVolumeIn


class UpdateAttachmentIn(Body):
    volumeId: Uuid
    delete_on_termination: Annotated[Boolean | None, since("2.85")] = None
    id: Annotated[Text255 | None, since("2.85")] = None
    device: Annotated[AttachDevice | None, since("2.85")] = None
    serverId: Annotated[Text255 | None, since("2.85")] = None
    tag: Annotated[Text255 | None, since("2.85")] = None

    def __post_init__(self) -> None:
        settle(self, "delete_on_termination")


class UpdateAttachment(Body):
    volumeAttachment: UpdateAttachmentIn


class RemoteConsoleIn(Body):
    protocol: Literal["vnc", "spice", "rdp", "serial", "mks"]
    type: Literal["novnc", "xvpvnc", "spice-html5", "rdp-html5", "serial", "webmks"]


class RemoteConsole(Body):
    remote_console: RemoteConsoleIn


class VncConsoleIn(Body):
    type: Literal["novnc", "xvpvnc"]


class VncConsole(Body):
    console: VncConsoleIn = msgspec.field(name="os-getVNCConsole")


class SpiceConsoleIn(Body):
    type: Literal["spice-html5"]


class SpiceConsole(Body):
    console: SpiceConsoleIn = msgspec.field(name="os-getSPICEConsole")


class RdpConsoleIn(Body):
    type: Literal["rdp-html5"]


class RdpConsole(Body):
    console: RdpConsoleIn = msgspec.field(name="os-getRDPConsole")


class SerialConsoleIn(Body):
    type: Literal["serial"]


class SerialConsole(Body):
    console: SerialConsoleIn = msgspec.field(name="os-getSerialConsole")


# -------------------------------------------------------------------------------------------------- administration


class ServiceUpdate(Body):
    status: Literal["enabled", "disabled"] | None = None
    disabled_reason: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    forced_down: Boolean | None = None

    def __post_init__(self) -> None:
        settle(self, "forced_down")


class ServiceByHost(Body):
    host: Annotated[str, Meta(min_length=1, max_length=255)]
    binary: Annotated[str, Meta(min_length=1, max_length=255)]
    disabled_reason: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    forced_down: Annotated[Boolean | None, since("2.11")] = None

    def __post_init__(self) -> None:
        settle(self, "forced_down")


class QuotaClassSetIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Limits per resource; -1 is unlimited. Those of the network are kept and shown, and limit nothing, as upstream's;
    ``networks`` is taken and never shown."""

    instances: Limit | UnsetType = UNSET
    cores: Limit | UnsetType = UNSET
    ram: Limit | UnsetType = UNSET
    metadata_items: Limit | UnsetType = UNSET
    key_pairs: Limit | UnsetType = UNSET
    server_groups: Limit | UnsetType = UNSET
    server_group_members: Limit | UnsetType = UNSET
    injected_files: Limit | UnsetType = UNSET
    injected_file_content_bytes: Limit | UnsetType = UNSET
    injected_file_path_bytes: Limit | UnsetType = UNSET
    fixed_ips: Limit | UnsetType = UNSET
    floating_ips: Limit | UnsetType = UNSET
    security_groups: Limit | UnsetType = UNSET
    security_group_rules: Limit | UnsetType = UNSET
    networks: Limit | UnsetType = UNSET


class QuotaSetIn(QuotaClassSetIn, kw_only=True, forbid_unknown_fields=True):
    force: Boolean = False

    def __post_init__(self) -> None:
        settle(self, "force")


class QuotaSet(Body):
    quota_set: QuotaSetIn


class QuotaClassSet(Body):
    quota_class_set: QuotaClassSetIn


Rules = Annotated[dict[Literal["max_server_per_host"], Positive], Meta(max_length=1)]
Policy = Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]


class GroupIn(Body):
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    policies: Annotated[list[Policy], Meta(max_length=10)] | None = None
    policy: Annotated[Policy | None, since("2.64")] = None
    rules: Annotated[
        Annotated[dict[Literal["max_server_per_host"], Positive], Meta(max_length=1)] | None, since("2.64")
    ] = None


class ServerGroup(Body):
    server_group: GroupIn


class AggregateIn(Body):
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    availability_zone: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


class Aggregate(Body):
    aggregate: AggregateIn


class AggregateUpdateIn(Body):
    name: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    availability_zone: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType | None = UNSET


class AggregateUpdate(Body):
    aggregate: AggregateUpdateIn


class HostIn(Body):
    host: Annotated[str, Meta(min_length=1, max_length=255)]


class AddHost(Body):
    add_host: HostIn


class RemoveHost(Body):
    remove_host: HostIn


class SetMetadataIn(Body):
    metadata: Annotated[dict[Key, Text255 | None], Meta(max_length=MOST)]


class SetMetadata(Body):
    set_metadata: SetMetadataIn
