"""Request bodies of identity (API reference: Identity API v3). Unknown attributes of users and projects are kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from tane.web.codec import Body, LongText, LooseBody, Name, StrictBody, Text255

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9-]+\Z")]
UnsetOr = msgspec.UnsetType
UNSET = msgspec.UNSET
MOST_METHODS = 100
MOST_ROLES = 100
"""Roles that one request names."""
MOST_RULES = 100
"""Access rules of one application credential."""
MOST_SIGNED = 10_000
"""Parameters, or headers, of a call whose signature is asked for."""
MOST_LIMITS = 1000
"""Limits that one request makes."""


class DomainRef(LooseBody):
    id: str | None = None
    name: str | None = None


class UserNamed(LooseBody):
    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None


class UserRef(UserNamed, kw_only=True):
    password: str


class UserWithPasscode(UserNamed, kw_only=True):
    passcode: str


class PasswordMethod(LooseBody):
    user: UserRef


class TokenMethod(LooseBody):
    id: str


class AppCredentialMethod(LooseBody):
    secret: str
    id: str | None = None
    name: str | None = None
    user: UserNamed | None = None


class TotpMethod(LooseBody):
    user: UserWithPasscode


class IdentityIn(LooseBody):
    methods: Annotated[list[Text255], msgspec.Meta(max_length=MOST_METHODS)]
    password: PasswordMethod | None = None
    token: TokenMethod | None = None
    application_credential: AppCredentialMethod | None = None
    totp: TotpMethod | None = None


class ProjectRef(LooseBody):
    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None


class SystemRef(LooseBody):
    all: bool


class TrustRef(LooseBody):
    id: str


class ScopeIn(LooseBody):
    project: ProjectRef | None = None
    domain: DomainRef | None = None
    system: SystemRef | None = None
    unscoped: dict[str, Any] | None = None
    trust: TrustRef | None = msgspec.field(name="OS-TRUST:trust", default=None)


class AuthIn(LooseBody):
    identity: IdentityIn
    scope: ScopeIn | Literal["unscoped"] | None = None


class Authenticate(StrictBody):
    auth: AuthIn


class OptionsIn(Body):
    immutable: bool | UnsetOr | None = UNSET


Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[^,/\x00-\x1f\x7f]*\Z")]
Tags = Annotated[list[Tag], msgspec.Meta(max_length=80)]


class DomainIn(LooseBody):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | UnsetOr = UNSET
    description: LongText | UnsetOr | None = UNSET
    enabled: bool | UnsetOr = UNSET
    tags: Tags | UnsetOr = UNSET
    options: OptionsIn | UnsetOr = UNSET


class Domain(StrictBody):
    domain: DomainIn


class ProjectIn(LooseBody):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | UnsetOr = UNSET
    description: LongText | UnsetOr | None = UNSET
    enabled: bool | UnsetOr = UNSET
    domain_id: Id | UnsetOr | None = UNSET
    parent_id: Id | UnsetOr | None = UNSET
    is_domain: bool | UnsetOr = UNSET
    tags: Tags | UnsetOr = UNSET
    options: OptionsIn | UnsetOr = UNSET


class Project(StrictBody):
    project: ProjectIn


class ProjectTags(StrictBody):
    tags: Tags


Flag = bool | UnsetOr | None
FactorRules = Annotated[
    list[Annotated[list[Text255], msgspec.Meta(min_length=1, max_length=MOST_METHODS)]],
    msgspec.Meta(max_length=MOST_METHODS),
]


class UserOptions(Body):
    """Keystone's "User Options"; null takes one away."""

    ignore_change_password_upon_first_use: Flag = UNSET
    ignore_password_expiry: Flag = UNSET
    ignore_lockout_failure_attempts: Flag = UNSET
    ignore_user_inactivity: Flag = UNSET
    lock_password: Flag = UNSET
    multi_factor_auth_enabled: Flag = UNSET
    multi_factor_auth_rules: FactorRules | UnsetOr | None = UNSET


class UserIn(LooseBody):
    name: Name | UnsetOr = UNSET
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)] | UnsetOr | None = UNSET
    description: LongText | UnsetOr | None = UNSET
    enabled: bool | UnsetOr = UNSET
    domain_id: Id | UnsetOr | None = UNSET
    default_project_id: Id | UnsetOr | None = UNSET
    options: UserOptions | UnsetOr = UNSET


class User(StrictBody):
    user: UserIn


class PasswordChangeIn(LooseBody):
    original_password: str
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class PasswordChange(StrictBody):
    user: PasswordChangeIn


class RoleIn(LooseBody):
    name: Name | UnsetOr = UNSET
    description: LongText | UnsetOr | None = UNSET
    domain_id: Id | UnsetOr | None = UNSET
    options: OptionsIn | UnsetOr = UNSET


class Role(StrictBody):
    role: RoleIn


class GroupIn(LooseBody):
    name: Name | UnsetOr = UNSET
    description: LongText | UnsetOr | None = UNSET
    domain_id: Id | UnsetOr | None = UNSET


class Group(StrictBody):
    group: GroupIn


RegionId = Text255


class RegionIn(LooseBody):
    id: RegionId | UnsetOr = UNSET
    description: LongText | UnsetOr | None = UNSET
    parent_region_id: RegionId | UnsetOr | None = UNSET


class Region(StrictBody):
    region: RegionIn


class ServiceIn(LooseBody):
    type: Name | UnsetOr = UNSET
    name: Annotated[str, msgspec.Meta(max_length=255)] | UnsetOr = UNSET
    description: LongText | UnsetOr | None = UNSET
    enabled: bool | UnsetOr = UNSET


class Service(StrictBody):
    service: ServiceIn


Interface = Literal["public", "internal", "admin"]
Url = Annotated[str, msgspec.Meta(max_length=2048, pattern=r"^[a-zA-Z0-9+.-]+:[^\x00-\x20\x7f]+\Z")]


class EndpointIn(LooseBody):
    service_id: Id | UnsetOr = UNSET
    interface: Interface | UnsetOr = UNSET
    url: Url | UnsetOr = UNSET
    region_id: RegionId | UnsetOr | None = UNSET
    region: RegionId | UnsetOr | None = UNSET
    enabled: bool | UnsetOr = UNSET


class Endpoint(StrictBody):
    endpoint: EndpointIn


class EndpointFilters(Body):
    service_id: Text255 | UnsetOr = UNSET
    region_id: Text255 | UnsetOr = UNSET
    interface: Interface | UnsetOr = UNSET


class EndpointGroupIn(LooseBody):
    name: Name | UnsetOr = UNSET
    description: LongText | UnsetOr | None = UNSET
    filters: EndpointFilters | UnsetOr | None = UNSET


class EndpointGroup(StrictBody):
    endpoint_group: EndpointGroupIn


class NewEndpointGroupIn(LooseBody):
    name: Name
    filters: EndpointFilters
    description: LongText | UnsetOr | None = UNSET


class NewEndpointGroup(StrictBody):
    endpoint_group: NewEndpointGroupIn


class PolicyIn(LooseBody):
    type: Name | UnsetOr = UNSET
    blob: LongText | UnsetOr = UNSET


class Policy(StrictBody):
    policy: PolicyIn


class ConsumerIn(LooseBody):
    description: LongText | UnsetOr | None = UNSET


class Consumer(StrictBody):
    consumer: ConsumerIn


class DomainConfig(StrictBody):
    config: Annotated[dict[Text255, Any], msgspec.Meta(max_length=100)]


LimitValue = Annotated[int, msgspec.Meta(ge=-1, le=0x7FFFFFFF)]


class RegisteredLimitIn(Body):
    service_id: Id
    resource_name: Name
    default_limit: LimitValue
    region_id: RegionId | UnsetOr | None = UNSET
    description: LongText | UnsetOr | None = UNSET


class RegisteredLimits(StrictBody):
    registered_limits: Annotated[list[RegisteredLimitIn], msgspec.Meta(min_length=1, max_length=MOST_LIMITS)]


class RegisteredLimitChange(Body):
    service_id: Id | UnsetOr = UNSET
    resource_name: Name | UnsetOr = UNSET
    default_limit: LimitValue | UnsetOr = UNSET
    region_id: RegionId | UnsetOr | None = UNSET
    description: LongText | UnsetOr | None = UNSET


class RegisteredLimit(StrictBody):
    registered_limit: RegisteredLimitChange


class LimitIn(Body):
    service_id: Id
    resource_name: Name
    resource_limit: LimitValue
    region_id: RegionId | UnsetOr | None = UNSET
    project_id: Id | UnsetOr | None = UNSET
    domain_id: Id | UnsetOr | None = UNSET
    description: LongText | UnsetOr | None = UNSET


class Limits(StrictBody):
    limits: Annotated[list[LimitIn], msgspec.Meta(min_length=1, max_length=MOST_LIMITS)]


class LimitChange(Body):
    resource_limit: LimitValue | UnsetOr = UNSET
    description: LongText | UnsetOr | None = UNSET


class Limit(StrictBody):
    limit: LimitChange


class RoleNamed(LooseBody):
    id: Text255 | UnsetOr = UNSET
    name: Text255 | UnsetOr = UNSET


Roles = Annotated[list[RoleNamed], msgspec.Meta(max_length=MOST_ROLES)]


class TrustIn(LooseBody):
    trustor_user_id: Text255
    trustee_user_id: Text255
    impersonation: bool
    project_id: Text255 | None = None
    expires_at: Text255 | None = None
    remaining_uses: Annotated[int, msgspec.Meta(ge=1, le=0x7FFFFFFF)] | None = None
    allow_redelegation: bool | None = None
    redelegation_count: Annotated[int, msgspec.Meta(ge=0, le=0x7FFFFFFF)] | None = None
    roles: Roles | None = None


class Trust(StrictBody):
    trust: TrustIn


class RequestTokenRoles(StrictBody):
    roles: Annotated[list[RoleNamed], msgspec.Meta(min_length=1, max_length=MOST_ROLES)]


class AccessRuleIn(Body):
    id: Text255 | UnsetOr = UNSET
    service: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | UnsetOr = UNSET
    path: Annotated[str, msgspec.Meta(max_length=225, pattern=r"^/[^\x00-\x1f\x7f]*\Z")] | UnsetOr = UNSET
    method: Literal["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"] | UnsetOr = UNSET


class AppCredentialIn(LooseBody):
    name: Name
    description: LongText | None = None
    secret: Annotated[str, msgspec.Meta(max_length=4096)] | None = None
    expires_at: Text255 | None = None
    unrestricted: bool | None = None
    roles: Roles | None = None
    access_rules: Annotated[list[AccessRuleIn], msgspec.Meta(max_length=MOST_RULES)] | None = None


class AppCredential(StrictBody):
    application_credential: AppCredentialIn


class CredentialIn(LooseBody):
    blob: LongText
    type: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    user_id: Id
    project_id: Id | None = None


class Credential(StrictBody):
    credential: CredentialIn


class CredentialChangeIn(LooseBody):
    blob: LongText | UnsetOr = UNSET
    type: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | UnsetOr = UNSET
    user_id: Id | UnsetOr = UNSET
    project_id: Id | UnsetOr | None = UNSET


class CredentialChange(StrictBody):
    credential: CredentialChangeIn


class Ec2Credential(StrictBody):
    tenant_id: Text255


class SignedCallIn(LooseBody):
    access: str | UnsetOr = UNSET
    signature: str = ""
    token: str = ""
    verb: str = ""
    host: str = ""
    path: str = ""
    body_hash: str = ""
    params: Annotated[dict[str, Any], msgspec.Meta(max_length=MOST_SIGNED)] | None = None
    headers: Annotated[dict[str, Any], msgspec.Meta(max_length=MOST_SIGNED)] | None = None


class SignedCall(LooseBody):
    """What a service was sent, to be checked: under one of three names, as Keystone takes it."""

    credentials: SignedCallIn | None = None
    credential: SignedCallIn | None = None
    ec2Credentials: SignedCallIn | None = None
