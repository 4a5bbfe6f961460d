"""Bodies of placement's calls (placement.schemas)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from tane.hosts.offers import MOST
from tane.web.codec import Body, Uuid

Custom = Annotated[str, msgspec.Meta(pattern=r"^CUSTOM_[A-Z0-9_]+\Z", max_length=255)]
"""A name of the administrators' own."""
Known = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9_]+\Z", min_length=1, max_length=255)]
Count = Annotated[int, msgspec.Meta(ge=1, le=MOST)]
Generation = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
Ratio = Annotated[float, msgspec.Meta(gt=0, le=1e6)]


class InventoryIn(Body, kw_only=True):
    total: Count
    reserved: Annotated[int, msgspec.Meta(ge=0, le=MOST)] = 0
    allocation_ratio: Ratio = 1.0
    min_unit: Count = 1
    max_unit: Count = MOST
    step_size: Count = 1


class InventoryPost(InventoryIn, kw_only=True):
    resource_class: Known


class InventoryPut(InventoryIn, kw_only=True):
    resource_provider_generation: Generation


class InventoriesPut(Body):
    resource_provider_generation: Generation
    inventories: Annotated[dict[Known, InventoryIn], msgspec.Meta(max_length=1000)]


class TraitsPut(Body):
    resource_provider_generation: Generation
    traits: Annotated[list[Known], msgspec.Meta(max_length=1000)]


class AggregatesPut(Body):
    """Before 1.19 the list alone."""

    aggregates: Annotated[list[Uuid], msgspec.Meta(max_length=1000)]
    resource_provider_generation: Generation | None = None

    @classmethod
    def plain(cls, data: Any) -> Any:
        return {"aggregates": data} if isinstance(data, list) else data


class ResourceClassIn(Body):
    name: Custom
