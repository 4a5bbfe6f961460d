"""Another region's image service, as the import method ``glance-download`` asks it.

Its address comes from the catalogue, which administrators write: unlike that of a web-download it is not judged, and
may be an internal one. A redirect is not followed: the caller's token would go with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tane.services.image.drivers import http
from tane.services.image.drivers.base import StoreError

MOST_METADATA = 1 << 20


class Remote:
    """The image service at ``endpoint``, asked with the token of whoever imports."""

    def __init__(self, endpoint: str, token: str) -> None:
        self._root = endpoint.rstrip("/").removesuffix("/v2")
        self._headers = {"X-Auth-Token": token}

    def show(self, image_id: str) -> dict[str, Any]:
        """The image as its service shows it. :raises StoreError: it does not."""
        url = f"{self._root}/v2/images/{image_id}"
        with http.trusted(url, self._headers) as answer:
            told = b"".join(answer.chunks(MOST_METADATA))
        try:
            found = json.loads(told)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise StoreError(f"{url} tells of no image")
        return found

    def read(self, image_id: str) -> Iterator[bytes]:
        """The image's data. :raises StoreError: it cannot be had."""
        with http.trusted(f"{self._root}/v2/images/{image_id}/file", self._headers) as answer:
            yield from answer.chunks()
