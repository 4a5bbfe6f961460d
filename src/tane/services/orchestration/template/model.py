"""What a template is once it is read, and what its functions ask of who evaluates it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from tane.services.orchestration.template.parameters import Parameter

Kind = Literal["hot", "cfn"]


class Scope(Protocol):
    """What functions see. Everything is asked for by name; what is not known yet is ``UNKNOWN``."""

    def parameter(self, name: str) -> Any:
        """The value of a parameter or pseudo parameter (``OS::stack_name``, ``AWS::StackName`` …).

        :raises TemplateError: it has no value. (That it is declared is seen to before.)
        """

    def reference(self, resource: str) -> Any:
        """The id that ``get_resource`` gives."""

    def attribute(self, resource: str, name: str, path: Sequence[Any]) -> Any:
        """The value of an attribute from which ``path`` leads on: the walk is done by :func:`evaluate`. A type that
        takes (a part of) the path as an argument gives back :class:`Taken` with what is left. ``name`` is ``show`` for
        all that its service tells, and ``*`` where all attributes are asked for (a map of name → value).

        :raises TemplateError: the type has no such attribute.
        """

    def file(self, name: str) -> str:
        """The content of a file that the client sent. :raises TemplateError: it sent none of that name."""

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds; see :func:`condition_of`."""

    def facade(self, key: str) -> Any:
        """What the parent stack's resource says: ``metadata``, ``deletion_policy`` or ``update_policy``."""

    def availability_zones(self) -> list[str]: ...


@dataclass(frozen=True)
class ResourceDeclaration:
    """A resource as the template gives it; values are raw, with functions inside."""

    name: str
    type: str
    properties: Any = None
    """A map, or a function that gives one; None where the template says nothing."""
    metadata: Any = None
    depends_on: tuple[str, ...] = ()
    deletion_policy: Any = None
    """Delete, Retain or Snapshot; a function where it is one."""
    update_policy: Any = None
    condition: Any = None
    """A name, a boolean, a function of conditions, or None."""
    external_id: Any = None
    description: str = ""


@dataclass(frozen=True)
class Output:
    name: str
    value: Any
    description: str | None = None
    condition: Any = None


@dataclass(frozen=True, eq=False)
class Template:
    """A template that was read and whose shape is right; its functions are checked, not evaluated."""

    kind: Kind
    version: str
    """Of the format, such as ``2021-04-16``; a release's name is the version that it stands for."""
    description: str
    parameters: Mapping[str, Parameter]
    parameter_groups: Sequence[Mapping[str, Any]]
    conditions: Mapping[str, Any]
    resources: Mapping[str, ResourceDeclaration]
    outputs: Mapping[str, Output]
    document: dict[str, Any]
    """As given."""
    mappings: Mapping[str, Any] = field(default_factory=dict)
    version_key: str = "heat_template_version"
    text: str | None = field(default=None, repr=False)

    @property
    def version_id(self) -> str:
        """As ``template-versions`` names it."""
        return f"{self.version_key}.{self.version}"
