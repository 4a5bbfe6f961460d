"""Bodies. Those that Gnocchi takes as a bare list or an object of any names are turned into one field."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tane.web.codec import Body, Text255

Name = Annotated[str, Meta(min_length=1, max_length=255)]
MOST = 1000
"""Attributes of a type, names of an object, metrics and resources in a batch."""
Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class DefinitionIn(Body):
    """Two of them say the third. Spans are seconds, or texts as ``5 minutes``."""

    granularity: Any = None
    points: Annotated[int, Meta(ge=1, le=1 << 31)] | None = None
    timespan: Any = None


Definitions = Annotated[list[DefinitionIn], Meta(min_length=1, max_length=32)]


class ArchivePolicyIn(Body):
    name: Name
    definition: Definitions
    back_window: Count = 0
    aggregation_methods: Annotated[list[Text255], Meta(max_length=500)] | None = None


class ArchivePolicyChange(Body):
    definition: Definitions
    back_window: Count | None = None


class ArchivePolicyRuleIn(Body):
    name: Name
    metric_pattern: Name
    archive_policy_name: Name


class ArchivePolicyRuleChange(Body):
    name: Name


class MetricIn(Body):
    archive_policy_name: Name | None = None
    resource_id: Annotated[str, Meta(max_length=300)] | None = None
    name: Annotated[str, Meta(max_length=255)] | None = None
    unit: Annotated[str, Meta(max_length=31)] | None = None


class ResourceTypeIn(Body):
    name: Name
    attributes: Annotated[dict[Text255, Any], Meta(max_length=MOST)] = {}


class Free(Body):
    """An object of any names."""

    value: dict[str, Any]

    @classmethod
    def plain(cls, data: Any) -> Any:
        return {"value": data}


class Samples(Body):
    """A list of ``{"timestamp", "value"}``."""

    value: list[Any]

    @classmethod
    def plain(cls, data: Any) -> Any:
        return {"value": data}


class AttributeChange(Body):
    op: Text255
    path: Annotated[str, Meta(max_length=255)]
    value: Any = None

    def __post_init__(self) -> None:
        if self.op not in ("add", "remove"):
            raise ValueError("not a valid value")


class AttributeChanges(Body):
    """JSON patch."""

    value: Annotated[list[AttributeChange], Meta(max_length=200)]

    @classmethod
    def plain(cls, data: Any) -> Any:
        return {"value": data}


class MetricIds(Body):
    value: Annotated[list[Text255], Meta(max_length=2000)]

    @classmethod
    def plain(cls, data: Any) -> Any:
        return {"value": data}


class AggregatesIn(Body):
    """Operations as lists or text. With a resource type they name metrics as its resources do."""

    operations: Any
    resource_type: Name | None = None
    search: Any = msgspec.UNSET


class Condition(Body):
    """A condition on values: ``{"and": [{"≥": 5}, {"<": 10}]}``."""

    value: dict[str, Any]

    @classmethod
    def plain(cls, data: Any) -> Any:
        return {"value": data}
