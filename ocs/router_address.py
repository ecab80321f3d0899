"""Where the router is and how it is reached: plain, or with TLS and a secret."""

from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import attrs
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, wrapClientTLS

from ocs.credentials import Credentials
from ocs.errors import OcsError
from ocs.tls_trust import TrustedRouter

__all__ = ["RouterAddress", "RouterUrlError"]

_DEFAULT_PORTS = {"ws": 80, "wss": 443}


class RouterUrlError(OcsError):
    """The router's address is not one this program can use.

    Allowed are ``ws://HOST:PORT/ws``, and ``wss://HOST:PORT/ws`` with credentials and trust.
    """


@attrs.frozen
class RouterAddress:
    """A router's address, and with TLS who we are and whom we believe."""

    url: str
    host: str
    port: int
    credentials: Credentials | None = None
    trust: Path | None = None

    @classmethod
    def parse(cls, url: str, credentials: Credentials | None, trust: Path | None) -> Self:
        """Read a router's URL.

        Raises:
            RouterUrlError: It has another scheme or no host; or it is ``wss`` without credentials
                or trust, or ``ws`` with them.
            TrustError: The trust file is of no use.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            host.encode("idna")
        except ValueError:
            host, port, scheme = "", None, ""
        else:
            scheme = "" if parts.fragment or parts.username is not None else parts.scheme
        if not host or scheme not in _DEFAULT_PORTS:
            raise RouterUrlError(
                f"{url!r} is no router address: expected something like ws://localhost:8001/ws "
                "or wss://localhost:8080/ws"
            )
        if scheme == "wss" and (credentials is None or trust is None):
            missing = " and ".join(
                what
                for what, value in (
                    ("credentials (name and secret)", credentials),
                    ("a file of trusted certificates (ca_cert.pem)", trust),
                )
                if value is None
            )
            raise RouterUrlError(f"{url} needs {missing}: run ./setup-tls.sh, which makes them")
        if scheme == "ws" and not (credentials is None and trust is None):
            raise RouterUrlError(
                f"{url} is not encrypted: credentials and trusted certificates are for wss://"
            )
        address = cls(url, host, port or _DEFAULT_PORTS[scheme], credentials, trust)
        if trust is not None:
            TrustedRouter(host, trust)
        return address

    def endpoint(self, reactor: Any, timeout_s: float) -> Any:
        """Return what opens a socket to the router.

        To be made anew for every attempt: the trust file may have been replaced.

        Raises:
            TrustError: The trust file is of no use any more.
        """
        endpoint: Any
        if "_" in self.host:
            # The seed's `sisock_crossbar`: HostnameEndpoint insists on names that IDNA allows.
            endpoint = TCP4ClientEndpoint(reactor, self.host, self.port, timeout=timeout_s)
        else:
            endpoint = HostnameEndpoint(reactor, self.host.encode(), self.port, timeout=timeout_s)
        if self.trust is None:
            return endpoint
        creator: Any = TrustedRouter(self.host, self.trust)
        return wrapClientTLS(creator, endpoint)
