"""Orchestration (Heat v1), and CloudFormation's API on the same stacks."""

from tane.services.orchestration.api.cfn import answers
from tane.services.orchestration.api.cfn.errors import known
from tane.services.orchestration.api.common import error_shape
from tane.services.orchestration.events import EVENTS
from tane.services.orchestration.held import HOLDS
from tane.services.orchestration.operations import OPERATIONS
from tane.services.orchestration.policies import CFN_RULES, RULES
from tane.services.orchestration.reconcilers import RECONCILERS
from tane.services.orchestration.routes import CFN_ROUTES, ROUTES
from tane.web.routes import CatalogEntry, Service

SERVICE = Service(
    name="orchestration",
    prefix="/orchestration",
    routes=ROUTES,
    rules=RULES,
    error_shape=error_shape,
    operations=OPERATIONS,
    reconcilers=RECONCILERS,
    forbidden="You are not authorized to complete this action.",
    catalog=(CatalogEntry("orchestration", "heat", "/orchestration/v1/$(project_id)s"),),
    counted=(("stacks", "stack WHERE NOT deleted"),),
    events=EVENTS,
    holds=HOLDS,
)

CFN = Service(
    name="cloudformation",
    prefix="/orchestration-cfn",
    routes=CFN_ROUTES,
    rules=CFN_RULES,
    error_shape=error_shape,
    error_document=answers.error_document,
    known_errors=known,
    own_admission=True,
    loose_paths=True,
    at_root=("/v1",),
    extra_request_id_headers=("x-amzn-requestid",),
    catalog=(CatalogEntry("cloudformation", "heat-cfn", "/orchestration-cfn/v1"),),
)
"""Who signs a call acts by the calls of that service."""
