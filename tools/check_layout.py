"""Enforces the layout of the source tree (docs/decisions/0001): shape of the service folders, sizes, imports.

Exits with status 1 and one line per finding.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "tane"
MAX_LINES = 600
MAX_PARAMETERS = 12
MODULES = {"__init__", "routes", "schemas", "policies", "tables", "interface", "orders", "checks", "events", "held"}
FOLDERS = {
    "api",
    "domain",
    "store",
    "operations",
    "reconcilers",
    "drivers",
    "resources",
    "template",
    "templates",
    "static",
    "locale",
}
MUST_HAVE = {"README.md", "__init__.py", "routes.py", "policies.py"}
SQL_FREE = {"api"}


def findings() -> Iterator[str]:
    for path in sorted((SOURCE / "services").iterdir()):
        if path.is_dir() and path.name != "__pycache__":
            yield from check_service(path)
    for path in sorted([*SOURCE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]):
        yield from check_file(path)


def check_service(folder: Path) -> Iterator[str]:
    present = {entry.name for entry in folder.iterdir() if entry.name != "__pycache__"}
    for name in sorted(MUST_HAVE - present):
        yield f"{folder.relative_to(ROOT)}: {name} is missing"
    for name in sorted(present - {"README.md"}):
        stem = name.removesuffix(".py")
        if (name.endswith(".py") and stem not in MODULES) or (not name.endswith(".py") and name not in FOLDERS):
            yield f"{folder.relative_to(ROOT)}/{name}: has no place in a service folder"
    for file in sorted(folder.rglob("*.py")):
        yield from check_service_imports(folder.name, file)


def check_service_imports(service: str, file: Path) -> Iterator[str]:
    layer = file.relative_to(SOURCE / "services" / service).parts[0].removesuffix(".py")
    for module in imported(file):
        parts = module.split(".")
        other = parts[:2] == ["tane", "services"] and len(parts) > 3 and parts[2] != service
        if other and parts[3] != "interface":
            yield f"{file.relative_to(ROOT)}: imports {module}; another service is reached by its interface only"
        if layer in SQL_FREE and parts[0] == "sqlalchemy" and parts[:2] != ["sqlalchemy", "engine"]:
            yield f"{file.relative_to(ROOT)}: imports {module}; handlers hold no SQL"
        if layer == "domain" and module.startswith(f"tane.services.{service}.operations"):
            yield f"{file.relative_to(ROOT)}: imports {module}; the domain names operations, it does not import them"


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module.startswith("tane"))


def check_file(file: Path) -> Iterator[str]:
    text = file.read_text()
    lines = text.count("\n")
    name = file.relative_to(ROOT)
    if lines > MAX_LINES and "migrations" not in file.parts:
        yield f"{name}: {lines} lines; {MAX_LINES} are the most"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
            if count > MAX_PARAMETERS:
                yield f"{name}:{node.lineno}: {node.name} has {count} parameters; {MAX_PARAMETERS} are the most"


if __name__ == "__main__":
    found = list(findings())
    print("\n".join(found) or "layout: ok")
    sys.exit(bool(found))
