"""Which routers a program believes: TLS with a site's own certificates.

A trust file holds one or more certificates in PEM form. A router is trusted when

* its certificate is one of them, whatever name it carries (the pinned, often self-signed
  certificate of older sites, spec/sisock-protocol.md, 2.3); or
* its certificate was issued by one of them and carries the host's name.

`docs/decisions/0006-trust-and-authids.md` says why.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL.crypto import X509, X509StoreFlags
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, ServiceID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates
from twisted.python.failure import Failure
from zope.interface import implementer  # type: ignore[import-untyped]

from ocs.errors import OcsError

__all__ = ["TrustError", "TrustedRouter", "explain_tls_error", "load_certificates"]

# Codes of OpenSSL's x509_vfy.h that a person can do something about.
_NOT_YET_VALID = 9
_EXPIRED = 10
_UNKNOWN_ISSUER = (18, 19, 20, 21)


class TrustError(OcsError):
    """The router cannot be trusted, or the file that says whom to trust is of no use."""


def load_certificates(path: Path) -> list[x509.Certificate]:
    """Return the certificates of a PEM file, in its order.

    Raises:
        TrustError: It cannot be read, or holds none.
    """
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise TrustError(
            f"cannot read the certificates in {path}: {error.strerror} (run ./setup-tls.sh, or "
            "copy ca_cert.pem from the router's host)"
        ) from error
    except ValueError as error:
        raise TrustError(f"{path} holds no certificate in PEM form: {error}") from error


@implementer(IOpenSSLClientConnectionCreator)
class TrustedRouter:
    """Makes TLS connections that end unless the router is the one we trust.

    Twisted's own ``optionsForClientTLS`` is not used: it refuses the host name
    ``sisock_crossbar`` for its underscore, which is the seed's name of the router, and cannot pin
    a certificate that somebody else has issued.

    Args:
        host: Name or address the router's certificate is for.
        trust: PEM file as described above.

    Raises:
        TrustError: The trust file is of no use.
    """

    def __init__(self, host: str, trust: Path) -> None:
        certificates = load_certificates(trust)
        self._trust = trust
        self._host = host
        self._pinned = {certificate.public_bytes(Encoding.DER) for certificate in certificates}
        self._is_name = not (isIPAddress(host) or isIPv6Address(host))
        together: Any = trustRootFromCertificates  # untyped in Twisted
        roots = [Certificate.loadPEM(one.public_bytes(Encoding.PEM)) for one in certificates]
        self._context = CertificateOptions(trustRoot=together(roots)).getContext()
        store = self._context.get_cert_store()
        if store is not None:
            # A certificate in the trust file is good enough, also if it is no root.
            store.set_flags(X509StoreFlags.PARTIAL_CHAIN)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:  # noqa: N802, N803
        """Make a connection (Twisted calls this)."""
        connection = SSL.Connection(self._context, None)
        if self._is_name:
            connection.set_tlsext_host_name(self._host.encode("idna"))

        def verify(_: SSL.Connection, peer: X509, code: int, depth: int, good: int) -> bool:
            complaint = self._complaint(peer.to_cryptography(), code, depth, good=bool(good))
            if complaint:
                # OpenSSL itself says no more than "certificate verify failed".
                failure: Any = Failure  # untyped in Twisted
                tlsProtocol.failVerification(failure(TrustError(complaint)))
            return not complaint

        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
        return connection

    def _complaint(
        self, certificate: x509.Certificate, code: int, depth: int, *, good: bool
    ) -> str:
        """Say what is wrong with a certificate of the router's chain; empty if nothing is."""
        if code in (_EXPIRED, _NOT_YET_VALID):
            return _out_of_time(certificate, expired=code == _EXPIRED)
        if code in _UNKNOWN_ISSUER:
            return (
                f"the router's certificate was not issued by any in {self._trust} (if this is the "
                "right router, copy ca_cert.pem from its host)"
            )
        if not good:
            return f"the router's certificate is not acceptable (OpenSSL's reason {code})"
        if depth or certificate.public_bytes(Encoding.DER) in self._pinned:
            return ""
        wanted: ServiceID = DNS_ID(self._host) if self._is_name else IPAddress_ID(self._host)
        try:
            verify_service_identity(
                extract_patterns(X509.from_cryptography(certificate)), [wanted], []
            )
        except (VerificationError, CertificateError):
            return (
                f"the router's certificate is for {_names(certificate)}, not for {self._host} "
                "(./setup-tls.sh makes one with further names, or use one of these)"
            )
        return ""


def explain_tls_error(error: SSL.Error) -> str:
    """Say what OpenSSL complained about while the connection was being made."""
    reasons = [entry[-1] for entry in error.args[0]] if error.args else []
    if {"wrong version number", "packet length too long", "record layer failure"} & set(reasons):
        return "no TLS is spoken at this port (the router's TLS port is 8080 by default)"
    return f"TLS failed: {', '.join(reasons) or type(error).__name__}"


def _out_of_time(certificate: x509.Certificate, *, expired: bool) -> str:
    if expired:
        return (
            f"the router's certificate expired on {_date(certificate.not_valid_after_utc)} (run "
            "./setup-tls.sh --renew on its host and restart it; is this machine's clock right?)"
        )
    return (
        f"the router's certificate is not valid before {_date(certificate.not_valid_before_utc)} "
        "(compare the clocks of this machine and the router's host)"
    )


def _date(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _names(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "no name at all"
    return ", ".join(str(name.value) for name in names) or "no name at all"
