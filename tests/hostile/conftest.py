"""The attacks on a running cloud meet the same one as the end-to-end tests do."""

from tests.e2e.conftest import guest, image, mia, real, two_servers

__all__ = ["guest", "image", "mia", "real", "two_servers"]
