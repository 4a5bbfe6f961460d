"""Actions that put a whole list in the place of what a resource has."""

from __future__ import annotations

from collections.abc import Sequence

from tane.services.dashboard.domain.describing import Action, Field
from tane.services.dashboard.domain.messages import N_


def tags(call: str, command: str, unset: str = "") -> Action:
    """``unset``: the command that takes tags away, where ``command`` only adds."""
    return Action(
        "tags",
        N_("Tags"),
        call,
        fields=(Field("tags", N_("Tags"), "list", default="=tags", option="--tag", unset=unset),),
        build=lambda values, row: {"tags": values.get("tags", [])},
        command=command,
    )


def metadata(call: str, command: str, unset: str = "", apart: Sequence[str] = ()) -> Action:
    """The same of pairs. ``apart``: those that are the cloud's own."""
    return Action(
        "metadata",
        N_("Metadata"),
        call,
        fields=(
            Field(
                "metadata",
                N_("Metadata"),
                "pairs",
                default="=metadata",
                option="--property",
                unset=unset,
                apart=tuple(apart),
            ),
        ),
        build=lambda values, row: {"metadata": values.get("metadata", {})},
        command=command,
    )
