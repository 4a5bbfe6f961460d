"""Write docs/reference/<service>.md from the route tables."""

from __future__ import annotations

import inspect
from pathlib import Path

from tane.app import SERVICES
from tane.web.routes import Route, Service

FOLDER = Path(__file__).parent.parent / "docs" / "reference"


def render(service: Service) -> str:
    lines = [
        f"# {service.name.replace('_', ' ').capitalize()} API",
        "",
        "Generated from the service's route table by `tools/render_reference.py`.",
        "",
        "| Method | Path | What | Policy | Body | Versions |",
        "|---|---|---|---|---|---|",
    ]
    lines += [line(service, route) for route in service.routes]
    for socket in service.web_sockets:
        what = (inspect.getdoc(socket.handler) or "").split("\n")[0]
        lines.append(f"| WebSocket | `{service.prefix}{socket.path}` | {what} | a token in the address |  |  |")
    rules = {rule.name: rule for rule in service.rules}
    lines += ["", "## Policies", "", "| Rule | Default check | Tokens of |", "|---|---|---|"]
    lines += [
        f"| `{name}` | `{rule.check}` | {', '.join(rule.scopes) or 'any scope'} |"
        for name, rule in sorted(rules.items())
    ]
    return "\n".join(lines) + "\n"


def line(service: Service, route: Route) -> str:
    action = f" `{route.action}`" if route.action else ""
    handler = route.handler
    what = route.summary or (inspect.getdoc(handler) or f"{handler.__name__}".replace("_", " ")).split("\n")[0]
    versions = f"{route.since or ''}–{route.until or ''}" if route.since or route.until else ""
    body = f"`{route.body.__name__}`" if route.body else "stream" if route.stream else ""
    policy = f"`{route.policy}`" if route.policy else "open"
    cells = (route.method, f"`{service.prefix}{route.path}`{action}", what, policy, body, versions)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for service in SERVICES:
        (FOLDER / f"{service.name}.md").write_text(render(service))
