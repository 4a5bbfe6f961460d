"""CirrOS, for machines where the small guest image cannot be built (no Debian archive)."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tane.guest.build import GuestImage, GuestImageError, load, write_manifest

VERSION = "0.6.2"
URL = f"https://download.cirros-cloud.net/{VERSION}/cirros-{VERSION}-x86_64-disk.img"
SHA256 = "07e44a73e54c94d988028515403c1ed762055e01b83a767edf3c2b387f78ce00"


def download_cirros(cache: Path, progress: Callable[[str], None] = lambda _: None, *, url: str = URL) -> GuestImage:
    """Return CirrOS from the folder ``cache``, downloading 21 MB at the first call and checking them by SHA-256.

    It boots by its own boot loader only (``kernel`` and ``ramdisk`` are None); its user is ``cirros``. Raises
    GuestImageError when the download fails or its content is not the one known here.
    """
    folder = cache / f"cirros-{VERSION}"
    if not (folder / "manifest.json").exists():
        cache.mkdir(parents=True, exist_ok=True)
        progress(f"downloading CirrOS {VERSION}")
        with tempfile.TemporaryDirectory(dir=cache, prefix="downloading-") as work:
            result = Path(work) / "result"
            result.mkdir()
            _download(url, result / "disk.qcow2")
            write_manifest(result, f"CirrOS {VERSION}", "")
            shutil.rmtree(folder, ignore_errors=True)
            result.rename(folder)
    return load(folder)


def _download(url: str, target: Path) -> None:
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=30) as response, target.open("wb") as out:
            while chunk := response.read(1 << 20):
                digest.update(chunk)
                out.write(chunk)
    except (OSError, urllib.error.URLError) as error:
        raise GuestImageError(
            f"CirrOS could not be downloaded from {url}: {error}. Without a connection, register an image of your own."
        ) from error
    if digest.hexdigest() != SHA256:
        raise GuestImageError(f"what {url} sent is not CirrOS {VERSION}: its SHA-256 is {digest.hexdigest()}")
