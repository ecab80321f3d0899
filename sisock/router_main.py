"""The router of a site and its hub, as one program (``sisock-crossbar``).

What the seed's ``sisock_crossbar`` container is: crossbar with a TLS transport for the monitor and
a plain one for agents, and the hub. Two programs, one fate: when either ends, so does the other,
and whoever runs this one starts it again.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ocs.child_programs import ChildProgram
from ocs.router import LOOPBACK_ORIGINS, router_command, write_router_config
from ocs.router_security import site_users
from ocs.runner import Service, run_service
from ocs.server_certificate import CERTIFICATE, KEY, ServerCertificate
from sisock.errors import Misconfigured
from sisock.settings import add_setting, port_number, run_main

__all__ = ["RouterAndHub", "main", "make_parser"]

log = Logger()

DAY_S = 86_400.0
HUB_STOP_S = 1.0
ROUTER_STOP_S = 2.5  # together less than what `ocs.runner` gives a service


class RouterAndHub(Service):
    """Crossbar and the hub; either's end is the end.

    Args:
        reactor: Runs the processes.
        router: Crossbar.
        hub: Connects to it.
        certificate: Watched for its end; None where the site has its own configuration.
        notes: Said at every start.
        clock: Gives the time, with its zone.
    """

    def __init__(
        self,
        reactor: Any,
        router: ChildProgram,
        hub: ChildProgram,
        certificate: ServerCertificate | None,
        notes: Sequence[str] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._reactor = reactor
        self._programs = [(hub, HUB_STOP_S), (router, ROUTER_STOP_S)]
        self._certificate = certificate
        self._notes = notes
        self._clock = clock
        self._stopping = False
        self._watch = LoopingCall(self._look_at_the_certificate)
        self._watch.clock = reactor

    def start(self) -> None:
        """Start both."""
        for note in self._notes:
            log.warn("{note}", note=note)
        self._watch.start(DAY_S)
        for program, _ in reversed(self._programs):
            program.ended.addCallback(self._ended, program)
            program.start(self._reactor)

    def _look_at_the_certificate(self) -> None:
        if self._certificate is not None and (warning := self._certificate.warning(self._clock())):
            log.warn("{warning}", warning=warning)

    def _ended(self, how: str, program: ChildProgram) -> str:
        if not self._stopping:
            self._stopping = True
            log.error("{name} ended ({how}): so does all of it", name=program.name, how=how)
            self.exit_status = 1
            self._reactor.stop()
        return how

    async def stop(self) -> None:
        """End the hub, which says goodbye to the router, then the router."""
        self._stopping = True
        if self._watch.running:
            self._watch.stop()
        for program, timeout_s in self._programs:
            await program.stop(self._reactor, timeout_s)


def make_parser(environ: Mapping[str, str] | None = None) -> argparse.ArgumentParser:
    """Return the command line, with defaults from the environment."""
    parser = argparse.ArgumentParser(
        prog="sisock-crossbar",
        description="Run the WAMP router of a site, with TLS, and the live monitor's hub.",
    )
    for flag, variable, default, what in (
        ("--directory", "CROSSBAR_SITE_DIR", ".crossbar", "certificates and secrets"),
        ("--runtime-dir", "RUNTIME_DIR", None, "where crossbar's own files go; a new one if unset"),
        ("--interface", "LISTEN_INTERFACE", "127.0.0.1", "address to listen on"),
        ("--crossbar-tls-port", "CROSSBAR_TLS_PORT", "8080", "TLS port, for the monitor"),
        ("--crossbar-port", "CROSSBAR_OCS_PORT", "8001", "plain port, for agents and clients"),
        ("--realm", "WAMP_REALM", "test_realm", "WAMP realm"),
        ("--address-root", "ADDRESS_ROOT", "observatory", "first part of agent addresses"),
        (
            "--compat-secrets",
            "SISOCK_COMPAT_SECRETS",
            "0",
            "1 also lets in who knows the published secrets of upstream's programs",
        ),
        (
            "--allowed-origins",
            "ALLOWED_ORIGINS",
            ",".join(LOOPBACK_ORIGINS),
            "web pages that may join from a browser, with commas between them",
        ),
        (
            "--crossbar-config",
            "CROSSBAR_CONFIG",
            None,
            "a crossbar configuration to use as it is, instead of all of the above",
        ),
    ):
        add_setting(parser, flag, variable, default=default, what=what, environ=environ)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the router and the hub (``sisock-crossbar``)."""
    args = make_parser().parse_args(argv)

    def run() -> int:
        if args.runtime_dir:
            return _run(args, Path(args.runtime_dir))
        with tempfile.TemporaryDirectory(prefix="sisock-crossbar-") as directory:
            return _run(args, Path(directory))

    return run_main("sisock-crossbar", run)


def _run(args: argparse.Namespace, runtime: Path) -> int:
    try:
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        command, hub_env, certificate, notes = _prepare(args, runtime)
    except OSError as error:
        raise Misconfigured(f"RUNTIME_DIR={runtime}: {error.strerror}") from error

    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    router = ChildProgram("crossbar", command, dict(os.environ))
    hub = ChildProgram("hub", [sys.executable, "-m", "sisock.hub"], hub_env)
    return run_service(reactor, RouterAndHub(reactor, router, hub, certificate, notes))


def _prepare(
    args: argparse.Namespace, runtime: Path
) -> tuple[list[str], dict[str, str], ServerCertificate | None, list[str]]:
    """Write crossbar's configuration.

    Returns:
        Crossbar's command line, the hub's environment, the certificate to watch, and what to tell
        the operator.
    """
    if args.crossbar_config:
        config = Path(args.crossbar_config).resolve()
        if not config.is_file():
            raise Misconfigured(f"CROSSBAR_CONFIG={args.crossbar_config}: there is no such file")
        command = [*router_command(runtime), "--config", str(config)]
        return command, {"CROSSBAR_HOST": "localhost", **os.environ}, None, []
    site = Path(args.directory)
    if missing := [name for name in (CERTIFICATE, KEY) if not (site / name).exists()]:
        raise Misconfigured(f"{' and '.join(missing)} missing in {site}: run ./setup-tls.sh")
    plain_port = port_number(args.crossbar_port, "CROSSBAR_OCS_PORT")
    tls_port = port_number(args.crossbar_tls_port, "CROSSBAR_TLS_PORT")
    well_known = _yes_or_no(args.compat_secrets, "SISOCK_COMPAT_SECRETS")
    certificate = ServerCertificate.load(site)
    secure = certificate.transport(runtime, site_users(site, well_known=well_known), tls_port)
    write_router_config(
        runtime,
        port=plain_port,
        interface=args.interface,
        realm=args.realm,
        address_root=args.address_root,
        secure=secure,
        allowed_origins=[origin.strip() for origin in args.allowed_origins.split(",")],
    )
    notes = [_COMPAT_WARNING] if well_known else []
    return router_command(runtime), _hub_env(args, site, secure.certificate), certificate, notes


_COMPAT_WARNING = (
    "SISOCK_COMPAT_SECRETS=1: everybody knows the secrets that upstream's programs have compiled "
    "in, and whoever reaches the TLS port may join with them; switch this off as soon as no such "
    "program is left"
)


def _yes_or_no(text: str, variable: str) -> bool:
    if text not in ("0", "1"):
        raise Misconfigured(f"{variable}={text}: must be 1 (on) or 0 (off)")
    return text == "1"


def _hub_env(args: argparse.Namespace, site: Path, certificate: Path) -> dict[str, str]:
    # Whatever the operator calls the router, the hub finds it next door, and knows its certificate.
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    host = everywhere.get(args.interface, args.interface)
    env = {name: value for name, value in os.environ.items() if not name.startswith("WAMP_")}
    return {
        **env,
        "WAMP_TRANSPORT": "tls",
        "WAMP_REALM": args.realm,
        "WAMP_USER": "site-server",
        "WAMP_SECRET_FILE": str((site / "secrets" / "server.secret").resolve()),
        "CROSSBAR_HOST": f"[{host}]" if ":" in host else host,
        "CROSSBAR_TLS_PORT": args.crossbar_tls_port,
        "CROSSBAR_CA_FILE": str(certificate.resolve()),
    }


if __name__ == "__main__":
    raise SystemExit(main())
