"""The API of metrics (Gnocchi v1)."""

from __future__ import annotations

from tane.services.metric.api import (
    aggregates,
    archive_policies,
    metrics,
    prometheus,
    resource_types,
    resources,
    root,
)
from tane.services.metric.schemas import (
    AggregatesIn,
    ArchivePolicyChange,
    ArchivePolicyIn,
    ArchivePolicyRuleChange,
    ArchivePolicyRuleIn,
    AttributeChanges,
    Condition,
    Free,
    MetricIds,
    MetricIn,
    ResourceTypeIn,
    Samples,
)
from tane.web.routes import Route

AP, RULE, TYPE = "/v1/archive_policy", "/v1/archive_policy_rule", "/v1/resource_type"
METRIC = "/v1/metric/{metric_id}"
OF_TYPE = "/v1/resource/{type}"
RESOURCE = f"{OF_TYPE}/{{resource_id}}"
NAMED = f"{RESOURCE}/metric/{{metric_name}}"

ROUTES = (
    Route("GET", "", root.versions, None),
    Route("GET", "/v1", root.index, None),
    Route("GET", "/v1/capabilities", root.capabilities, "list archive policy"),
    Route("GET", "/v1/status", root.status, "get status"),
    Route("GET", AP, archive_policies.index, "list archive policy"),
    Route("POST", AP, archive_policies.create, "create archive policy", ArchivePolicyIn, 201),
    Route("GET", f"{AP}/{{name}}", archive_policies.show, "get archive policy"),
    Route("PATCH", f"{AP}/{{name}}", archive_policies.update, "update archive policy", ArchivePolicyChange),
    Route("DELETE", f"{AP}/{{name}}", archive_policies.delete, "delete archive policy", status=204),
    Route("GET", RULE, archive_policies.rules, "list archive policy rule"),
    Route("POST", RULE, archive_policies.create_rule, "create archive policy rule", ArchivePolicyRuleIn, 201),
    Route("GET", f"{RULE}/{{name}}", archive_policies.show_rule, "get archive policy rule"),
    Route(
        "PATCH", f"{RULE}/{{name}}", archive_policies.rename_rule, "update archive policy rule", ArchivePolicyRuleChange
    ),
    Route("DELETE", f"{RULE}/{{name}}", archive_policies.delete_rule, "delete archive policy rule", status=204),
    Route("GET", TYPE, resource_types.index, "list resource type"),
    Route("POST", TYPE, resource_types.create, "create resource type", ResourceTypeIn, 201),
    Route("GET", f"{TYPE}/{{name}}", resource_types.show, "get resource type"),
    Route("PATCH", f"{TYPE}/{{name}}", resource_types.update, "update resource type", AttributeChanges),
    Route("DELETE", f"{TYPE}/{{name}}", resource_types.delete, "delete resource type", status=204),
    Route("GET", "/v1/metric", metrics.index, "list metric"),
    Route("POST", "/v1/metric", metrics.create, "create metric", MetricIn, 201),
    Route("GET", METRIC, metrics.show, "get metric"),
    Route("DELETE", METRIC, metrics.delete, "delete metric", status=204),
    Route("GET", f"{METRIC}/measures", metrics.measures, "get measures"),
    Route("POST", f"{METRIC}/measures", metrics.add_measures, "post measures", Samples, 202),
    Route("POST", "/v1/batch/metrics/measures", metrics.add_to_metrics, "post measures", Free, 202),
    Route("POST", "/v1/batch/resources/metrics/measures", metrics.add_to_resources, "post measures", Free, 202),
    Route("GET", "/v1/resource", resource_types.links, "list resource type"),
    Route("GET", OF_TYPE, resources.index, "list resource"),
    Route("POST", OF_TYPE, resources.create, "create resource", Free, 201),
    Route("DELETE", OF_TYPE, resources.delete_found, "delete resources"),
    Route("GET", RESOURCE, resources.show, "get resource"),
    Route("PATCH", RESOURCE, resources.update, "update resource", Free),
    Route("DELETE", RESOURCE, resources.delete, "delete resource", status=204),
    Route("GET", f"{RESOURCE}/history", resources.history, "get resource"),
    Route("GET", f"{RESOURCE}/metric", metrics.of_resource, "get resource"),
    Route("POST", f"{RESOURCE}/metric", metrics.add_to_resource, "update resource", Free),
    Route("GET", NAMED, metrics.show_named, "get metric"),
    Route("DELETE", NAMED, metrics.delete_named, "delete metric", status=204),
    Route("GET", f"{NAMED}/measures", metrics.measures_named, "get measures"),
    Route("POST", f"{NAMED}/measures", metrics.add_measures_named, "post measures", Samples, 202),
    Route("POST", "/v1/search/resource/{type}", resources.search, "search resource"),
    Route("POST", "/v1/search/metric", metrics.search, "search metric", Condition),
    Route("POST", "/v1/aggregates", aggregates.create, "search resource", AggregatesIn),
    Route("GET", "/v1/aggregation/metric", metrics.aggregation, "get measures"),
    Route("POST", "/v1/aggregation/metric", metrics.aggregation, "get measures", MetricIds),
    Route("POST", "/v1/aggregation/resource/{type}/metric/{metric_name}", aggregates.of_resources, "search resource"),
)

PROMETHEUS_ROUTES = (Route("GET", "", prometheus.show, "prometheus:read"),)
