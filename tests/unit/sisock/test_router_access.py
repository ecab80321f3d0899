"""When a program of the monitor uses TLS, and with what."""

import argparse
from pathlib import Path
from typing import Literal

import pytest
from support.certificates import Site
from twisted.internet.testing import MemoryReactorClock

from ocs.credentials import Credentials, SecretError
from sisock.errors import Misconfigured
from sisock.router_access import RouterAccess, add_access_arguments, tls_router

PLAIN = RouterAccess("ws://sisock-crossbar:8001/ws", "test_realm")


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site, and we stand in it."""
    site = Site(tmp_path / "site")
    monkeypatch.chdir(site.directory)
    return site


def access(
    environ: dict[str, str] | None = None,
    *flags: str,
    role: Literal["server", "consumer"] = "server",
) -> RouterAccess:
    parser = argparse.ArgumentParser()
    add_access_arguments(parser, environ or {}, role=role)
    return tls_router(parser.parse_args(flags))


def test_plain_where_nothing_asks_for_tls() -> None:
    assert access() == PLAIN
    assert access({"WAMP_SECRET": "", "CROSSBAR_CA_FILE": ""}) == PLAIN
    environ = {"CROSSBAR_HOST": "lab", "CROSSBAR_OCS_PORT": "9", "WAMP_REALM": "r"}
    assert access(environ) == RouterAccess("ws://lab:9/ws", "r")


def test_what_setup_tls_leaves_is_enough(site: Site) -> None:
    assert access() == RouterAccess(
        "wss://sisock-crossbar:8080/ws",
        "test_realm",
        Credentials("site-server", "secret-of-the-server"),
        Path(".crossbar/ca_cert.pem"),
    )
    assert access(role="consumer").credentials == Credentials(
        "site-consumer", "secret-of-the-consumer"
    )
    assert access({"CROSSBAR_TLS_PORT": "9"}).url == "wss://sisock-crossbar:9/ws"
    connection = access().connection(MemoryReactorClock(), name="a program")
    assert (connection.url, connection.name) == ("wss://sisock-crossbar:8080/ws", "a program")
    assert access({"WAMP_TRANSPORT": "plain"}) == PLAIN
    site.ca_file.unlink()
    assert access().trust == Path(".crossbar/server_cert.pem")


def test_the_environment_of_upstream(site: Site) -> None:
    """A secret in a variable belongs to the name that upstream's programs use."""
    assert access({"WAMP_SECRET": "s"}).credentials == Credentials("server", "s")
    assert access({"WAMP_SECRET": "s", "WAMP_USER": "u"}).credentials == Credentials("u", "s")
    own = access({"WAMP_SECRET": "s"}, role="consumer").credentials
    assert own == Credentials("site-consumer", "secret-of-the-consumer"), "another role's secret"
    consumer = access({"WAMP_CONSUMER_SECRET": "c"}, role="consumer").credentials
    assert consumer == Credentials("simonsobs", "c")


def test_secrets_as_files(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "docker-secret"
    path.write_text("from a file\n")
    environ = {"WAMP_SECRET_FILE": str(path), "CROSSBAR_CA_FILE": str(site.ca_file)}
    found = access(environ)
    assert found.credentials == Credentials("site-server", "from a file")
    assert found.trust == site.ca_file
    assert access({}, "--wamp-secret-file", str(path)).credentials == found.credentials
    with pytest.raises(Misconfigured, match="both WAMP_SECRET and WAMP_SECRET_FILE are set"):
        access({**environ, "WAMP_SECRET": "s"})
    with pytest.raises(SecretError, match="cannot read the secret"):
        access({"WAMP_SECRET_FILE": str(tmp_path / "nowhere")})


@pytest.mark.parametrize(
    "environ",
    [
        {"WAMP_TRANSPORT": "tls"},
        {"WAMP_USER": "server"},
        {"WAMP_SECRET": "s"},
        {"WAMP_SECRET_FILE": "secret"},
        {"CROSSBAR_TLS_PORT": "8080"},
    ],
)
def test_never_from_tls_to_plain_by_itself(environ: dict[str, str]) -> None:
    with pytest.raises(
        Misconfigured, match=r"certificate to trust.*setup-tls.*WAMP_TRANSPORT=plain"
    ):
        access(environ)


def test_half_a_site_is_an_error(site: Site) -> None:
    (site.crossbar / "secrets" / "server.secret").unlink()
    with pytest.raises(Misconfigured, match=r"without a secret: \.crossbar/secrets/server\.secret"):
        access()
    with pytest.raises(Misconfigured, match="WAMP_TRANSPORT=maybe: allowed are auto, tls, plain"):
        access({"WAMP_TRANSPORT": "maybe"})
    with pytest.raises(Misconfigured, match="CROSSBAR_TLS_PORT=x"):
        access({"CROSSBAR_TLS_PORT": "x"})
