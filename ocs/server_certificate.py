"""The router's own certificate: read, checked, and watched for its end."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from ocs.errors import OcsError
from ocs.router_security import SecureTransport, User
from ocs.tls_trust import load_certificates

__all__ = ["CERTIFICATE", "KEY", "ServerCertificate", "SetupError"]

CERTIFICATE = "server_cert.pem"
KEY = "server_key.pem"

_WARN_BEFORE = timedelta(days=30)


class SetupError(OcsError):
    """The router's certificate or key is missing or of no use: run ``./setup-tls.sh``."""


@attrs.frozen
class ServerCertificate:
    """The router's certificate, with what its file holds beside it."""

    key: Path
    leaf: x509.Certificate
    others: list[x509.Certificate]

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read ``server_cert.pem`` and ``server_key.pem``.

        Of several certificates in the file, the one of this key is the router's, wherever it
        stands.

        Raises:
            SetupError: One is missing, unreadable, or they do not belong together.
            TrustError: The certificate's file cannot be read, or holds none.
        """
        path, key_path = directory / CERTIFICATE, directory / KEY
        certificates = load_certificates(path)
        try:
            key = load_pem_private_key(key_path.read_bytes(), password=None)
        except OSError as error:
            raise SetupError(
                f"cannot read the router's key in {key_path}: {error.strerror} (run ./setup-tls.sh)"
            ) from error
        except (ValueError, TypeError) as error:
            raise SetupError(
                f"{key_path} holds no private key without a password (run ./setup-tls.sh --renew)"
            ) from error
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        public = key.public_key().public_bytes(*form)
        leaf = next((c for c in certificates if c.public_key().public_bytes(*form) == public), None)
        if leaf is None:
            raise SetupError(
                f"{key_path} is not the key of {path} (run ./setup-tls.sh --renew, or put the two "
                "files that belong together there)"
            )
        return cls(key_path, leaf, [c for c in certificates if c is not leaf])

    def warning(self, now: datetime) -> str:
        """Return what there is to say about its age; empty until 30 days before its end."""
        end = self.leaf.not_valid_after_utc
        remedy = "run ./setup-tls.sh --renew and restart the router"
        if end <= now:
            return (
                f"the router's certificate expired on {end:%Y-%m-%d %H:%M UTC}: nobody can join "
                f"with TLS any more; {remedy}"
            )
        if end - now <= _WARN_BEFORE:
            days = (end - now).days
            return (
                f"the router's certificate expires on {end:%Y-%m-%d %H:%M UTC}, in {days} days; "
                f"{remedy}"
            )
        return ""

    def transport(self, directory: Path, users: list[User], port: int) -> SecureTransport:
        """Write the certificates as crossbar wants them, and return the transport.

        Args:
            directory: Where to write.
            users: Who may join.
            port: TCP port.
        """
        paths = []
        for number, certificate in enumerate([self.leaf, *self.others]):
            paths.append(directory / f"certificate_{number}.pem")
            paths[-1].write_bytes(certificate.public_bytes(Encoding.PEM))
        return SecureTransport(paths[0], self.key.resolve(), paths[1:], users, port)
