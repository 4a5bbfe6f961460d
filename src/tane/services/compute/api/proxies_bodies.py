"""Request bodies of the proxies that old clients call (Compute API: "Compute API Proxies", deprecated)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tane.services.compute.schemas import MOST, Metadata
from tane.web.codec import Body, LooseBody, Text255, Uuid

GroupName = Annotated[str, Meta(min_length=1, max_length=255)]
Number = int | Annotated[str, Meta(max_length=6, pattern=r"^-?[0-9]+\Z")] | None


Digits = Annotated[str, Meta(max_length=32, pattern=r"^0*[1-9][0-9]{0,8}\Z")]
Switch = Literal["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"]


class NotDone(LooseBody):
    """The body of a call that is answered with 501: nothing of it is looked at."""


class HostUpdate(Body):
    status: Switch | None = None
    maintenance_mode: Switch | None = None


class FloatingIp(Body):
    """``pool`` None: the cloud's default one."""

    pool: Text255 | None = None


class SecurityGroupIn(Body):
    name: GroupName
    description: Text255 | None = None


class SecurityGroup(Body):
    security_group: SecurityGroupIn


class SecurityGroupRuleIn(Body):
    parent_group_id: Uuid
    ip_protocol: Text255 | None = None
    from_port: Number = None
    to_port: Number = None
    cidr: Text255 | None = None
    group_id: Uuid | None = None


class SecurityGroupRule(Body):
    security_group_rule: SecurityGroupRuleIn


class VolumeIn(Body):
    """``size`` in GiB."""

    size: (
        Annotated[int, Meta(ge=1, le=0x7FFFFFFF)] | Annotated[str, Meta(max_length=32, pattern=r"^0*[1-9][0-9]{0,8}\Z")]
    )
    display_name: Text255 | None = None
    display_description: Text255 | None = None
    snapshot_id: Uuid | None = None
    volume_type: Text255 | None = None
    availability_zone: Text255 | None = None
    metadata: Annotated[dict[Text255, Text255], Meta(max_length=MOST)] | None = None


class Volume(Body):
    volume: VolumeIn


class SnapshotIn(Body):
    volume_id: Uuid
    display_name: Text255 | None = None
    display_description: Text255 | None = None
    force: bool | Literal["True", "true", "1", "False", "false", "0"] = False


class Snapshot(Body):
    snapshot: SnapshotIn


class CreateBackupIn(Body):
    """``backup_type``: "daily", "weekly", any other word or none; ``rotation``: how many of it are kept."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    backup_type: Annotated[str, Meta(max_length=255)]
    rotation: Annotated[int, Meta(ge=0, le=0x7FFFFFFF)] | Annotated[str, Meta(pattern=r"^[0-9]{1,9}\Z")]
    metadata: Metadata = {}


class CreateBackup(Body):
    createBackup: CreateBackupIn
