"""Who is asking: the caller of one request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from tane.web.access import AccessRule


@dataclass(frozen=True)
class Context:
    """The caller as the token says, and the id of the request. Without a token every field but the id is empty."""

    request_id: str
    user_id: str = ""
    user_name: str = ""
    user_domain_id: str = ""
    project_id: str = ""
    project_name: str = ""
    project_domain_id: str = ""
    domain_id: str = ""
    system_scope: bool = False
    roles: tuple[str, ...] = ()
    token: str = ""
    trust_id: str = ""
    application_credential_id: str = ""
    access_token_id: str = ""
    """The OAuth access token by which a consumer acts as the caller."""
    methods: tuple[str, ...] = ()
    """How the caller proved who it is."""
    restricted: bool = False
    """Whether the caller's application credential may not make further delegations."""
    access_rules: tuple[AccessRule, ...] | None = None
    """The only calls the caller's application credential is good for; None for all."""
    site_admin: bool | None = None
    """What the site's own rule ``context_is_admin`` says of the caller; None where it has none."""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def is_admin(self) -> bool:
        """Whether the caller may see and change every project's resources."""
        return ("admin" in self.roles and not self.domain_id) if self.site_admin is None else self.site_admin

    @property
    def scope(self) -> Literal["system", "domain", "project"]:
        """What the token is for. One for nothing at all counts as one for a project, as in oslo.policy."""
        if self.system_scope:
            return "system"
        return "domain" if self.domain_id else "project"

    @property
    def credentials(self) -> dict[str, Any]:
        """The caller as policy rules see it (oslo.policy credentials)."""
        return {
            "user_id": self.user_id,
            "user_domain_id": self.user_domain_id,
            "project_id": self.project_id or None,
            "project_domain_id": self.project_domain_id,
            "domain_id": self.domain_id or None,
            "system_scope": "all" if self.system_scope else None,
            "roles": list(self.roles),
            "is_admin": self.is_admin,
            "token": {
                "domain": {"id": self.domain_id or None},
                "project": {"domain": {"id": self.project_domain_id or None}},
            },
        }

    def sees(self, project_id: str | None) -> bool:
        """Whether a resource of ``project_id`` is the caller's own or the caller is an administrator."""
        return self.is_admin or (bool(project_id) and project_id == self.project_id)
