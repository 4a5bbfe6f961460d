"""Bodies of rating. A client sends back what it was shown: what it cannot change is taken and not read."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta

from tane.web.codec import Body

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Text = Annotated[str, Meta(max_length=255)]
Id = Annotated[str, Meta(max_length=64)]
Moment = Annotated[str, Meta(max_length=64)]
Type = Literal["flat", "rate"]


class ServiceIn(Body):
    name: Name
    service_id: Id | None = None


class FieldIn(Body):
    name: Name
    service_id: Id
    field_id: Id | None = None


class GroupIn(Body):
    name: Name
    group_id: Id | None = None


class MappingIn(Body):
    cost: Decimal
    type: Type = "flat"
    value: Text | None = None
    service_id: Id | None = None
    field_id: Id | None = None
    group_id: Id | None = None
    tenant_id: Id | None = None
    name: Annotated[str, Meta(max_length=32)] | None = None
    description: Annotated[str, Meta(max_length=256)] | None = None
    start: Moment | None = None
    end: Moment | None = None
    mapping_id: Id | None = None
    created_at: Any = None
    deleted: Any = None
    created_by: Any = None
    updated_by: Any = None
    deleted_by: Any = None


class ThresholdIn(Body):
    level: Decimal
    cost: Decimal
    type: Type = "flat"
    service_id: Id | None = None
    field_id: Id | None = None
    group_id: Id | None = None
    tenant_id: Id | None = None
    threshold_id: Id | None = None
    created_at: Any = None


class ServiceNamed(Body):
    service_id: Id


class FieldNamed(Body):
    field_id: Id


class GroupNamed(Body):
    group_id: Id
    recursive: bool = False


class MappingNamed(Body):
    mapping_id: Id


class ThresholdNamed(Body):
    threshold_id: Id


class ModuleIn(Body):
    """v1: what was shown, changed."""

    module_id: Text | None = None
    description: Annotated[str, Meta(max_length=1024)] | None = None
    enabled: bool | None = None
    priority: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    hot_config: Any = None

    @classmethod
    def plain(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {"hot_config" if name == "hot-config" else name: value for name, value in data.items()}


class ModuleState(Body):
    enabled: bool | None = None
    priority: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


class ResourceIn(Body):
    service: Name
    desc: Annotated[dict[Text, Any], Meta(max_length=1000)] = {}
    volume: Decimal = Decimal(1)


class QuoteIn(Body):
    resources: Annotated[list[ResourceIn], Meta(max_length=1000)]


class CollectorMappingIn(Body):
    service: Text | None = None
    collector: Text | None = None


class CollectorStateIn(Body):
    enabled: bool
    name: Text | None = None


class ScopeResetIn(Body):
    """``state``: what the client calls the time. Lists also come as a text with commas."""

    all_scopes: bool = False
    scope_id: Any = None
    scope_key: Any = None
    fetcher: Any = None
    collector: Any = None
    last_processed_timestamp: Moment | None = None
    state: Moment | None = None


class ScopeIn(Body):
    scope_id: Name
    scope_key: Text | None = None
    fetcher: Text | None = None
    collector: Text | None = None
    active: bool | None = None


class ReprocessIn(Body):
    scope_ids: Any
    start_reprocess_time: Moment
    end_reprocess_time: Moment
    reason: Annotated[str, Meta(max_length=1024)]


class FramesIn(Body):
    dataframes: Any


class ScriptIn(Body):
    name: Text | None = None
    data: Any = None
    start: Any = None
    end: Any = None
    description: Any = None
    script_id: Any = None


class BudgetIn(Body):
    """``amount``: a month, in the cloud's currency. ``action``: once it is spent."""

    amount: Decimal
    action: Literal["warn", "refuse"] = "warn"


class ClosingIn(Body):
    month: Annotated[str, Meta(max_length=7)]
