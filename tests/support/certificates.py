"""Certificates for tests, and a site's ``.crossbar`` made of them."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "sisock_crossbar", "sisock-crossbar", "127.0.0.1")


class Issued:
    """A certificate and its key."""

    def __init__(self, certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> None:
        self.certificate = certificate
        self.key = key

    @classmethod
    def make(
        cls,
        common_name: str,
        *,
        by: "Issued | None" = None,
        authority: bool = False,
        names: Sequence[str] = (),
        days: tuple[float, float] = (-1, 90),
    ) -> Self:
        """Make a certificate; signed by itself unless `by` somebody, valid from and to `days`."""
        key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(by.certificate.subject if by else name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
        )
        if authority:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        if names:
            entries = [_general_name(text) for text in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(entries), False)
        return cls(builder.sign(by.key if by else key, SHA256()), key)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


class Site:
    """A directory with a ``.crossbar`` as ``./setup-tls.sh`` leaves it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.crossbar = directory / ".crossbar"
        self.authority = Issued.make("test site CA", authority=True)
        (self.crossbar / "secrets").mkdir(parents=True)
        self.ca_file = self.crossbar / "ca_cert.pem"
        self.ca_file.write_bytes(self.authority.pem)
        for role in ("server", "consumer"):
            path = self.crossbar / "secrets" / f"{role}.secret"
            path.write_text(f"secret-of-the-{role}\n")
        self.renew()

    def renew(self, *, days: float = 90) -> None:
        """Have the authority issue a new certificate for the router."""
        self.install(Issued.make("router", by=self.authority, names=NAMES, days=(-1, days)))

    def install(self, issued: Issued) -> None:
        (self.crossbar / "server_cert.pem").write_bytes(issued.pem)
        (self.crossbar / "server_key.pem").write_bytes(issued.key_pem)
