"""YAML and JSON from tenants."""

from __future__ import annotations

from typing import Any

from tane.services.orchestration.template.values import TemplateError


def read(text: str, *, what: str = "template") -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise TemplateError(f"Error parsing {what} [root stack] {error}") from None
