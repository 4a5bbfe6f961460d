"""TLS of the APIs: whose certificate they show, and what clients need to trust it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from tane.config import Config, ConfigError


@dataclass(frozen=True)
class Files:
    """What the server shows. ``ca``: what clients need, None when their system trusts it already."""

    certificate: Path
    key: Path
    ca: Path | None


def files(config: Config) -> Files | None:
    """The files of a cloud, None when it speaks plain HTTP."""
    if not config.encrypted:
        return None
    if config.tls_certificate != Path():
        given = config.tls_ca if config.tls_ca != Path() else None
        return Files(config.tls_certificate, config.tls_key, given)
    folder = config.state_dir / "tls"
    return Files(folder / "server.pem", folder / "server.pem", folder / "ca.pem")


def prepare(config: Config) -> Files | None:
    """Make what is missing, and see that it can be used.

    :raises ConfigError: files that were given cannot be read, or the key is not the certificate's.
    """
    shown = files(config)
    if shown is None:
        return None
    if config.tls_certificate == Path():
        # Here and not above: a running cloud needs nothing of what makes certificates.
        from tane.web import certificates

        certificates.issue(config, config.state_dir / "tls")
    try:
        server_context(shown)
        client_context(shown)
    except (OSError, ssl.SSLError) as error:
        named = ", ".join(str(path) for path in (shown.certificate, shown.key, shown.ca) if path is not None)
        raise ConfigError(f"the files of TLS cannot be used ({named}): {error}") from error
    return shown


def server_context(shown: Files) -> ssl.SSLContext:
    """Raises OSError, ssl.SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.certificate, shown.key)
    return context


def client_context(shown: Files | None) -> ssl.SSLContext | None:
    """For the cloud's own commands, which ask on this machine: they trust what the server was given, whatever name it
    is for. None for plain HTTP. Raises OSError, ssl.SSLError."""
    if shown is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(shown.certificate)
    return context
