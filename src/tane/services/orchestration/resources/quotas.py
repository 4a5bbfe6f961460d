"""``OS::Nova::Quota``, ``OS::Cinder::Quota``, ``OS::Neutron::Quota``: limits of a project that administrators set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tane.services.orchestration.resources import heirs
from tane.services.orchestration.resources.base import Kind
from tane.services.orchestration.resources.comparing import Difference
from tane.services.orchestration.resources.declaring import names, number, shown
from tane.services.orchestration.template.properties import Property
from tane.web.errors import BadRequest, NotFound
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand


def limits(words: Mapping[str, str]) -> dict[str, Property]:
    """The properties of a quota: the project, and a number for each resource."""
    project = names("keystone.project", "Name or id of the project to set the quota for.", required=True)
    told = {
        name: number(f"Quota for the number of {what}; -1 removes the limit.", low=-1, update="in_place")
        for name, what in words.items()
    }
    return {"project": project, **told}


class Quota(Kind):
    """``path``: of the quotas of projects, whose bodies are ``{single: {…}}``."""

    compares = True
    service: ClassVar[str] = ""
    path: ClassVar[str] = ""
    single: ClassVar[str] = "quota_set"
    attributes = shown({"show": "map"})

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if not self._wanted(properties):
            told = ", ".join(sorted(name for name in self.properties if name != "project"))
            raise BadRequest(f"At least one of these properties is needed: {told}.", type="PropertyUnspecifiedError")

    def _wanted(self, properties: Mapping[str, Any]) -> dict[str, int]:
        return {key: value for key, value in properties.items() if key != "project" and value is not None}

    def create(self, hand: Hand) -> str | None:
        hand.keep(project=hand.lookup("keystone.project", hand.properties["project"]))
        self._set(hand, ())
        return hand.short_name()

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        self._set(hand, [key for key, value in changed.items() if value is None])

    def _set(self, hand: Hand, gone: Sequence[str]) -> None:
        """What a template says no more is what it was before any quota was set."""
        where = f"{self.path}/{hand.row.data['project']}"
        if gone:
            hand.call(self.service, "DELETE", where)
        hand.call(self.service, "PUT", where, {self.single: self._wanted(hand.properties)})

    def delete(self, hand: Hand) -> None:
        if "project" not in hand.row.data:
            return
        where = f"{self.path}/{hand.row.data['project']}"
        try:
            hand.call(self.service, "DELETE", where)
        except BadRequest:
            if self._has_project(hand):
                raise
            return
        for one in heirs.of(hand):
            if one.data.get("project") == hand.row.data["project"]:
                hand.call(self.service, "PUT", where, {self.single: self._wanted(one.properties)})

    def _has_project(self, hand: Hand) -> bool:
        try:
            hand.call("identity", "GET", f"/v3/projects/{part(hand.row.data['project'])}")
        except NotFound:
            return False
        return True

    def show(self, hand: Hand) -> Mapping[str, Any]:
        found: dict[str, Any] = hand.call(self.service, "GET", f"{self.path}/{hand.row.data['project']}")[self.single]
        return found

    def differences(self, hand: Hand) -> Mapping[str, Difference] | None:
        now = self.show(hand)
        wanted = self._wanted(hand.properties).items()
        return {key: Difference(value, now[key]) for key, value in wanted if key in now and now[key] != value}

    def attribute(self, hand: Hand, name: str) -> Any:
        return dict(self.show(hand))


class NovaQuota(Quota):
    name = "OS::Nova::Quota"
    description = "A resource for setting the compute quotas of a project."
    service, path = "compute", "/v2.1/os-quota-sets"
    properties = limits(
        {
            "cores": "cores",
            "fixed_ips": "fixed IPs",
            "floating_ips": "floating IPs",
            "injected_file_content_bytes": "bytes of an injected file",
            "injected_file_path_bytes": "bytes of the path of an injected file",
            "injected_files": "injected files",
            "instances": "instances",
            "key_pairs": "key pairs",
            "metadata_items": "metadata items",
            "ram": "megabytes of RAM",
            "security_group_rules": "security group rules",
            "security_groups": "security groups",
            "server_group_members": "server group members",
            "server_groups": "server groups",
        }
    )


class CinderQuota(Quota):
    name = "OS::Cinder::Quota"
    description = "A resource for setting the volume quotas of a project."
    service, path = "volume", "/v3/os-quota-sets"
    properties = limits(
        {
            "gigabytes": "gigabytes of volumes and snapshots",
            "volumes": "volumes",
            "backups": "backups",
            "backup_gigabytes": "gigabytes of backups",
            "snapshots": "snapshots",
        }
    )


class NeutronQuota(Quota):
    name = "OS::Neutron::Quota"
    description = "A resource for setting the network quotas of a project."
    service, path, single = "network", "/v2.0/quotas", "quota"
    properties = limits(
        {
            "subnet": "subnets",
            "network": "networks",
            "floatingip": "floating IPs",
            "security_group_rule": "security group rules",
            "security_group": "security groups",
            "router": "routers",
            "port": "ports",
            "subnetpool": "subnet pools",
            "rbac_policy": "rules of shared networks",
        }
    )
