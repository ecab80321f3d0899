"""Who may join a router that wants to know, and what they may do there.

The secrets lie in the site's ``.crossbar``, where ``./setup-tls.sh`` puts them::

    secrets/server.secret      one line: for the hub and data nodes
    secrets/consumer.secret    one line: for those who only read, as the HTTP bridge does
"""

from pathlib import Path
from typing import Any

import attrs

from ocs.credentials import Credentials

__all__ = ["SecureTransport", "User", "consumer_role", "hub_list_permission", "site_users"]

_MONITOR = "org.simonsobservatory."

# The two secrets that upstream's programs have compiled in. They protect nothing: anybody can read
# them in its published sources (the project's sisock specification, section 2.2).
_WELL_KNOWN = {"server": "Q5#x4%HCmgTsS!Pj", "simonsobs": "yW4V2T^bPD&rGFwy"}


@attrs.frozen
class User:
    """Somebody who may join with a secret."""

    credentials: Credentials
    role: str


def site_users(directory: Path, *, well_known: bool = False) -> list[User]:
    """Return who may join a site's router.

    A site's secrets are good for ``site-server`` and ``site-consumer``, and for the names that
    programs of the field have always used, ``server`` and ``simonsobs``.

    Args:
        directory: The site's ``.crossbar``.
        well_known: Whether the latter two have the secrets that upstream's programs have compiled
            in instead, so that these can join without a change. Everybody knows them.

    Raises:
        SecretError: A secret is missing or no single line.
    """
    users = []
    for role, shared in (("server", "server"), ("consumer", "simonsobs")):
        own = Credentials.from_file(f"site-{role}", directory / "secrets" / f"{role}.secret")
        secret = _WELL_KNOWN[shared] if well_known else own.secret
        users += [User(own, role), User(Credentials(shared, secret), role)]
    return users


@attrs.frozen
class SecureTransport:
    """A TLS transport of the router.

    Args:
        certificate: PEM file whose first certificate is the router's.
        key: Its private key.
        chain: PEM files, one certificate each, from the router's issuer upwards.
        users: Who may join.
        port: TCP port.
    """

    certificate: Path
    key: Path
    chain: list[Path] = attrs.field(factory=list)
    users: list[User] = attrs.field(factory=list)
    port: int = 8080

    def endpoint(self, interface: str) -> dict[str, Any]:
        """Return crossbar's ``endpoint``."""
        tls: dict[str, Any] = {"certificate": str(self.certificate), "key": str(self.key)}
        if self.chain:
            tls["chain_certificates"] = [str(path) for path in self.chain]
        return {"type": "tcp", "port": self.port, "interface": interface, "tls": tls}

    def auth(self) -> dict[str, Any]:
        """Return crossbar's ``auth``: challenge and response, nothing else."""
        users = {
            user.credentials.authid: {"secret": user.credentials.secret, "role": user.role}
            for user in self.users
        }
        return {"wampcra": {"type": "static", "users": users}}


def consumer_role() -> dict[str, Any]:
    """Return what those may do who only read: call nodes and the hub's list, hear its events.

    Upstream's consumers may register and publish as well, so any of them can pose as a node or as
    the hub.
    """
    return {
        "name": "consumer",
        "permissions": [
            _reading(f"{_MONITOR}consumer.", match="prefix", call=True),
            # Tells that the hub has lost its list.
            _reading(f"{_MONITOR}hub.started", match="exact", call=False),
        ],
    }


def hub_list_permission() -> dict[str, Any]:
    """Return the permission to ask the hub which nodes there are, and nothing else."""
    return _reading(f"{_MONITOR}consumer.get_data_node", match="exact", call=True)


def _reading(uri: str, *, match: str, call: bool) -> dict[str, Any]:
    return {
        "uri": uri,
        "match": match,
        "allow": {"call": call, "register": False, "publish": False, "subscribe": True},
        "disclose": {"caller": False, "publisher": False},
        "cache": True,
    }
