"""How a program of the monitor reaches the router: with TLS and a secret, or plain.

The environment is that of the project's sisock specification, section 2.4, with secrets as files
beside it. With ``WAMP_TRANSPORT=auto``, the default, TLS is chosen as soon as anything points to
it: one of the variables in `_Names.hints`, or the files that ``./setup-tls.sh`` leaves under
``.crossbar/`` in the working directory. What is then missing is an error; a program that has been
given a secret never goes on without TLS.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from ocs.connection import Connection
from ocs.credentials import Credentials
from sisock.errors import Misconfigured
from sisock.settings import add_router_arguments, add_setting, port_number, router_url

__all__ = ["RouterAccess", "add_access_arguments", "tls_router"]

Role = Literal["server", "consumer"]

TRANSPORTS = ("auto", "tls", "plain")
DIRECTORY = Path(".crossbar")
TRUST_FILES = (DIRECTORY / "ca_cert.pem", DIRECTORY / "server_cert.pem")
"""The site's own CA; or the router's own certificate, which is all that the seed's sites have."""


@attrs.frozen
class RouterAccess:
    """What a connection to the router is made with."""

    url: str
    realm: str
    credentials: Credentials | None = None
    trust: Path | None = None

    def connection(self, reactor: Any, *, name: str) -> Connection:
        """Make a connection, not started yet.

        Raises:
            TrustError: The file of trusted certificates is of no use.
            RouterUrlError: The host is none.
        """
        return Connection(
            reactor,
            self.url,
            self.realm,
            name=name,
            credentials=self.credentials,
            trust=self.trust,
        )


@attrs.frozen
class _Names:
    """What the settings of a role are called, and what they are by default."""

    role: Role
    prefix: str
    user: str
    own_user: str

    @property
    def user_variable(self) -> str:
        return f"{self.prefix}_USER"

    @property
    def secret(self) -> str:
        return f"{self.prefix}_SECRET"

    @property
    def secret_file(self) -> str:
        return f"{self.prefix}_SECRET_FILE"

    @property
    def hints(self) -> tuple[str, ...]:
        """Variables that mean nothing without TLS: whoever sets one wants it."""
        return (
            self.user_variable,
            self.secret,
            self.secret_file,
            "CROSSBAR_CA_FILE",
            "CROSSBAR_TLS_PORT",
        )

    @property
    def default_file(self) -> Path:
        return DIRECTORY / "secrets" / f"{self.role}.secret"


_ROLES: dict[Role, _Names] = {
    "server": _Names("server", "WAMP", "server", "site-server"),
    "consumer": _Names("consumer", "WAMP_CONSUMER", "simonsobs", "site-consumer"),
}


def add_access_arguments(
    parser: argparse.ArgumentParser,
    environ: Mapping[str, str] | None = None,
    *,
    role: Role = "server",
) -> None:
    """Add the flags for `tls_router`, those of `sisock.settings.add_router_arguments` included.

    The secret itself has no flag: everybody on the machine can read a command line.

    Args:
        parser: Gets the flags.
        environ: Where defaults come from; the process's environment unless given.
        role: ``server`` for the hub and data nodes, ``consumer`` for whoever only reads.
    """
    environment = dict(os.environ if environ is None else environ)
    names = _ROLES[role]
    add_router_arguments(parser, environment)
    for flag, variable, what in (
        ("--wamp-transport", "WAMP_TRANSPORT", "auto (TLS where it is set up), tls or plain"),
        ("--crossbar-tls-port", "CROSSBAR_TLS_PORT", "router's TLS port, 8080 by default"),
        ("--crossbar-ca-file", "CROSSBAR_CA_FILE", "certificate that vouches for the router"),
        ("--wamp-user", names.user_variable, "name to join as"),
        ("--wamp-secret-file", names.secret_file, f"file with its secret (or set {names.secret})"),
    ):
        add_setting(parser, flag, variable, default=None, what=what, environ=environment)
    parser.set_defaults(wamp_role=role, wamp_secret=environment.get(names.secret) or None)


def tls_router(args: argparse.Namespace) -> RouterAccess:
    """Return how to reach the router, with TLS unless nothing asks for it.

    Args:
        args: Parsed by a parser that went through `add_access_arguments`.

    Raises:
        Misconfigured: A setting is no good, or TLS is asked for and something for it is missing.
        SecretError: The secret's file cannot be read.
    """
    transport = (args.wamp_transport or "auto").lower()
    if transport not in TRANSPORTS:
        raise Misconfigured(f"WAMP_TRANSPORT={transport}: allowed are {', '.join(TRANSPORTS)}")
    names = _ROLES[args.wamp_role]
    trust_file = _trust_file(args)
    if transport == "plain" or (transport == "auto" and not _asks_for_tls(args, names)):
        return RouterAccess(router_url(args), args.realm)
    port = port_number(args.crossbar_tls_port or "8080", "CROSSBAR_TLS_PORT")
    if trust_file is None:
        raise Misconfigured(
            f"TLS without a certificate to trust: {TRUST_FILES[0]} is missing (run "
            "./setup-tls.sh, set CROSSBAR_CA_FILE, or choose WAMP_TRANSPORT=plain)"
        )
    return RouterAccess(
        f"wss://{args.crossbar_host}:{port}/ws", args.realm, _credentials(args, names), trust_file
    )


def _asks_for_tls(args: argparse.Namespace, names: _Names) -> bool:
    settings = (
        args.wamp_user,
        args.wamp_secret,
        args.wamp_secret_file,
        args.crossbar_ca_file,
        args.crossbar_tls_port,
    )
    return any(settings) or names.default_file.exists() or _trust_file(args) is not None


def _trust_file(args: argparse.Namespace) -> Path | None:
    if args.crossbar_ca_file:
        return Path(args.crossbar_ca_file)
    return next((path for path in TRUST_FILES if path.exists()), None)


def _credentials(args: argparse.Namespace, names: _Names) -> Credentials:
    # A router that also accepts the well-known secrets does so for the wire's default names; the
    # site's own secrets are good for names that are never shared (docs/decisions/0006).
    if args.wamp_secret and args.wamp_secret_file:
        raise Misconfigured(f"both {names.secret} and {names.secret_file} are set: choose one")
    if args.wamp_secret:
        return Credentials(args.wamp_user or names.user, args.wamp_secret)
    user = args.wamp_user or names.own_user
    if args.wamp_secret_file:
        return Credentials.from_file(user, Path(args.wamp_secret_file))
    if names.default_file.exists():
        return Credentials.from_file(user, names.default_file)
    raise Misconfigured(
        f"TLS without a secret: {names.default_file} is missing (run ./setup-tls.sh, set "
        f"{names.secret_file} or {names.secret}, or choose WAMP_TRANSPORT=plain)"
    )
