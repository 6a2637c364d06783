"""Makes keys and X.509 certificates: the one door to `cryptography`.

Importing that library costs a fifth of a second, so `athanor.local.pki` loads this module only
when something must be made: at the very first start, and when a certificate is about to expire.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from athanor.local.validity import LIFE, SKEW


class Pair(Struct, frozen=True):
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


class Wanted(Struct, frozen=True, kw_only=True):
    """What a certificate is to say: subject (user name, groups), addresses, life in seconds."""

    name: str
    groups: Sequence[str] = ()
    hosts: Sequence[str] = ()
    server: bool = False
    life: int = LIFE


def authority(name: str, now: float, life: int) -> Pair:
    """A new self-signed certificate authority (ECDSA P-256), valid for `life` seconds."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        _builder(subject, subject, key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _signed(builder, key, key)


def certificate(ca: Pair, wanted: Wanted, now: float) -> Pair:
    """A new key and a certificate for it, signed by `ca`.

    Client certificates carry the user in CN and the groups in O, as Kubernetes reads them.
    """
    issuer_key = serialization.load_pem_private_key(ca.key, password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key is no ECDSA key")
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in wanted.groups),
            x509.NameAttribute(NameOID.COMMON_NAME, wanted.name),
        ]
    )
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if wanted.server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(subject, issuer.subject, key.public_key(), now, wanted.life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if wanted.hosts:
        names = x509.SubjectAlternativeName([_alternative(host) for host in wanted.hosts])
        builder = builder.add_extension(names, critical=False)
    return _signed(builder, key, issuer_key)


def request(name: str, groups: Sequence[str], hosts: Sequence[str]) -> Pair:
    """A new key, and a request (PEM, in place of the certificate) that somebody else signs it."""
    key = ec.generate_private_key(ec.SECP256R1())
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    subject = x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
    made = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(made.public_bytes(serialization.Encoding.PEM), _private(key))


def facts(certificate: bytes) -> tuple[float, float, list[str]]:
    """Since when and until when (seconds since the epoch) a certificate (PEM) holds, and for whom.

    Raises ValueError.
    """
    found = x509.load_pem_x509_certificate(certificate)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    hosts = [str(name.value) for name in names]
    return found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp(), hosts


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: float,
    life: int,
) -> x509.CertificateBuilder:
    start = datetime.fromtimestamp(now, UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - timedelta(seconds=SKEW))
        .not_valid_after(start + timedelta(seconds=life))
    )


def _signed(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> Pair:
    made = builder.sign(issuer_key, hashes.SHA256())
    return Pair(made.public_bytes(serialization.Encoding.PEM), _private(key))


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
