"""Certificates (RFC 5280) of authorities of the cloud's own, and requests for them (RFC 2986)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
EARLIER = timedelta(hours=1)
"""Clocks of clients go wrong by so much."""
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Authority(NamedTuple):
    """Who signs, and with what."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def identifier(self) -> x509.AuthorityKeyIdentifier:
        """What its certificates name it by."""
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)

    def sign(
        self,
        common_name: str,
        key: ec.EllipticCurvePublicKey,
        days: int,
        purpose: x509.ObjectIdentifier,
        names: Sequence[x509.GeneralName] = (),
    ) -> x509.Certificate:
        """A certificate of a key that is no authority's, for one purpose; ``names``: what the peer is reached by."""
        builder = (
            _builder(_subject(common_name), key, days)
            .issuer_name(self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(self.identifier, critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def new_authority(common_name: str) -> Authority:
    """An authority of ten years that signs itself."""
    key, subject = new_key(), _subject(common_name)
    usage = {name: name in ("key_cert_sign", "crl_sign") for name in _USAGES}
    certificate = (
        _builder(subject, key.public_key(), AUTHORITY_DAYS)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def request(common_name: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    """A request for a certificate, in PEM."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(common_name))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def requested_key(pem: bytes) -> ec.EllipticCurvePublicKey:
    """The key that a request is for. :raises ValueError: it is none, or not of the curve P-256, or not by that key."""
    asked = x509.load_pem_x509_csr(pem)
    key = _of_host(asked.public_key())
    if not asked.is_signature_valid:
        raise ValueError("the request is not signed by its own key")
    return key


def _of_host(key: object) -> ec.EllipticCurvePublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("the key of a host is one of the curve P-256")
    return key


def pin(certificate: x509.Certificate) -> str:
    """SHA-256 of the public key (RFC 7469, section 2.4), in hex: by it an authority is known before it is trusted."""
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey), "authorities here have no other keys"
    return hashlib.sha256(public_bytes(key)).hexdigest()


def public_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as it stands in a certificate (SubjectPublicKeyInfo, DER)."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def read(text: bytes) -> x509.Certificate:
    """The certificate of :func:`pem`. :raises ValueError: it is none, or its key is not of the curve P-256."""
    found = x509.load_pem_x509_certificate(text)
    _of_host(found.public_key())
    return found


def is_issued(certificate: x509.Certificate, authority: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bool:
    """Whether a certificate is of the key, and signed by the authority."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return public_bytes(_of_host(certificate.public_key())) == public_bytes(key.public_key())


def pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def read_key(text: bytes) -> ec.EllipticCurvePrivateKey:
    """The key of :func:`pem_of_key`."""
    key = serialization.load_pem_private_key(text, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey), "no other keys are made here"
    return key


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _builder(subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
