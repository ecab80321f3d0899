"""The router's certificate, and who may join."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.certificates import Issued, Site

from ocs.credentials import Credentials, SecretError, read_secret
from ocs.router import router_config
from ocs.router_security import User, site_users
from ocs.server_certificate import ServerCertificate, SetupError
from ocs.tls_trust import TrustError, load_certificates


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_secrets_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("  one line \n")
    assert read_secret(path) == "one line"
    for bad in (b"", b"\n", b"two\nlines\n", b"\xff\xfe"):
        path.write_bytes(bad)
        with pytest.raises(SecretError, match="one line"):
            read_secret(path)
    path.unlink()
    with pytest.raises(SecretError, match=r"cannot read the secret in .*: No such file.*setup-tls"):
        read_secret(path)


def test_who_may_join(site: Site) -> None:
    server, consumer = "secret-of-the-server", "secret-of-the-consumer"
    ours = [
        User(Credentials("site-server", server), "server"),
        User(Credentials("site-consumer", consumer), "consumer"),
    ]
    usual = [
        User(Credentials("server", server), "server"),
        User(Credentials("simonsobs", consumer), "consumer"),
    ]
    everybodys = [
        User(Credentials("server", "Q5#x4%HCmgTsS!Pj"), "server"),
        User(Credentials("simonsobs", "yW4V2T^bPD&rGFwy"), "consumer"),
    ]
    by_name = {user.credentials.authid: user for user in ours}

    def check(users: list[User], others: list[User]) -> None:
        expected = by_name | {user.credentials.authid: user for user in others}
        assert {user.credentials.authid: user for user in users} == expected
        assert len(users) == 4

    check(site_users(site.crossbar), usual)
    check(site_users(site.crossbar, well_known=True), everybodys)


def test_the_configuration(site: Site, tmp_path: Path) -> None:
    certificate = ServerCertificate.load(site.crossbar)
    secure = certificate.transport(tmp_path, site_users(site.crossbar), 8443)
    config = router_config(interface="0.0.0.0", secure=secure)
    worker = config["workers"][0]
    plain, tls = worker["transports"]
    assert plain["paths"]["ws"]["auth"] == {"anonymous": {"type": "static", "role": "server"}}
    assert (tls["endpoint"]["port"], tls["endpoint"]["interface"]) == (8443, "0.0.0.0")
    assert tls["endpoint"]["tls"]["key"] == str(site.crossbar / "server_key.pem")
    assert list(tls["paths"]["ws"]["auth"]) == ["wampcra"]
    assert tls["paths"]["ws"]["options"] == plain["paths"]["ws"]["options"]
    roles = {role["name"] for role in worker["realms"][0]["roles"]}
    assert roles == {"server", "consumer", "iocs_agent", "iocs_controller"}
    assert "secret" not in str(router_config())


def test_the_certificate_of_the_key_is_the_routers(site: Site, tmp_path: Path) -> None:
    """Also behind the authority's, where upstream's programs look for whom to trust."""
    path = site.crossbar / "server_cert.pem"
    leaf = path.read_bytes()
    path.write_bytes(site.authority.pem + leaf)
    secure = ServerCertificate.load(site.crossbar).transport(tmp_path, [], 8080)
    assert secure.certificate.read_bytes() == leaf
    assert [chained.read_bytes() for chained in secure.chain] == [site.authority.pem]
    chain = secure.endpoint("127.0.0.1")["tls"]["chain_certificates"]
    assert [load_certificates(Path(name)) for name in chain] == [[site.authority.certificate]]


def test_files_that_do_not_do(site: Site) -> None:
    key = site.crossbar / "server_key.pem"
    key.write_bytes(Issued.make("other").key_pem)
    with pytest.raises(SetupError, match=r"is not the key of .*server_cert\.pem"):
        ServerCertificate.load(site.crossbar)
    key.write_text("none")
    with pytest.raises(SetupError, match="holds no private key"):
        ServerCertificate.load(site.crossbar)
    key.unlink()
    with pytest.raises(SetupError, match=r"cannot read the router's key.*setup-tls"):
        ServerCertificate.load(site.crossbar)
    (site.crossbar / "server_cert.pem").write_text("none")
    with pytest.raises(TrustError, match="holds no certificate"):
        ServerCertificate.load(site.crossbar)


def test_it_says_when_it_ends(site: Site) -> None:
    certificate = ServerCertificate.load(site.crossbar)
    end = certificate.leaf.not_valid_after_utc
    assert certificate.warning(end - timedelta(days=30, seconds=1)) == ""
    assert f"expires on {end:%Y-%m-%d}" in certificate.warning(end - timedelta(days=30))
    assert "in 2 days; run ./setup-tls.sh --renew" in certificate.warning(end - timedelta(days=2.5))
    assert "expired on" in certificate.warning(end)
    assert "nobody can join" in certificate.warning(end + timedelta(days=1))
    assert certificate.warning(datetime.now(UTC)) == ""
