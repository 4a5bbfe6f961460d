"""What identity tells of: every change of these rows is an event.

Users, projects and roles are the administrators' matter; what a user made for itself is told to that user.
"""

from tane.db.recording import Part, Source
from tane.services.identity import tables as t

PROJECT = Source(t.project, "identity.project", project=None)
USER = Source(
    t.user, "identity.user", project=None, owner="id", ignores=("failed_auth_count", "failed_auth_at", "last_active_at")
)
GROUP = Source(t.group, "identity.group")
APPLICATION_CREDENTIAL = Source(
    t.application_credential, "identity.application_credential", project=None, owner="user_id"
)
ENDPOINT_GROUP = Source(t.endpoint_group, "identity.endpoint_group")
POLICY = Source(t.policy, "identity.policy")

EVENTS = (
    PROJECT,
    Part(t.domain_option, "domain_id", PROJECT),
    USER,
    GROUP,
    Part(t.group_member, "group_id", GROUP),
    Source(t.role, "identity.role"),
    Source(t.implied_role, "identity.implied_role", id=("prior_id", "implied_id")),
    Source(
        t.assignment,
        "identity.role_assignment",
        id=("actor_id", "target_type", "target_id", "role_id"),
        shows=("actor_type", "actor_id", "target_type", "target_id", "role_id"),
    ),
    Source(t.credential, "identity.credential", project=None, owner="user_id", shows=("type",), ignores=("last_step",)),
    APPLICATION_CREDENTIAL,
    Part(t.application_credential_rule, "application_credential_id", APPLICATION_CREDENTIAL),
    Source(t.access_rule, "identity.access_rule", owner="user_id", shows=("service", "path", "method")),
    Source(t.trust, "identity.trust", project=None, owner="trustor_user_id", shows=("trustee_user_id",)),
    Source(t.consumer, "identity.oauth_consumer"),
    Source(t.access_token, "identity.oauth_access_token", project=None, owner="authorizing_user_id"),
    Source(t.request_token, "identity.oauth_request_token", project=None),
    Source(t.service, "identity.service"),
    Source(t.endpoint, "identity.endpoint", shows=("interface", "url")),
    Source(t.region, "identity.region"),
    ENDPOINT_GROUP,
    Part(t.project_endpoint_group, "endpoint_group_id", ENDPOINT_GROUP),
    Source(t.project_endpoint, "identity.project_endpoint", id=("project_id", "endpoint_id"), project=None),
    POLICY,
    Part(t.policy_association, "policy_id", POLICY),
    Source(t.registered_limit, "identity.registered_limit", shows=("resource_name",)),
    Source(t.limit, "identity.limit", project=None, shows=("resource_limit",)),
)
