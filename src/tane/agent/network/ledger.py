"""The namespaces a cloud made, written down before they are made, so that a later process can remove them."""

from __future__ import annotations

from pathlib import Path


class Ledger:
    """A text file with one name a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names = set(path.read_text().split()) if path.exists() else set()

    def names(self) -> set[str]:
        return set(self._names)

    def add(self, name: str) -> None:
        if name not in self._names:
            self._names.add(name)
            self._write()

    def discard(self, name: str) -> None:
        if name in self._names:
            self._names.discard(name)
            self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text("".join(f"{name}\n" for name in sorted(self._names)))
        fresh.replace(self._path)
