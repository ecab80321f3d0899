"""setup-tls.sh: what it makes, keeps, renews, and says."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SECRETS = ("server", "consumer", "grafana_admin")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "setup-tls.sh", tmp_path)
    return tmp_path


def setup(site: Path, *options: str, status: int = 0) -> str:
    done = subprocess.run(
        ["./setup-tls.sh", *options],
        cwd=site, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def contents(site: Path) -> dict[str, bytes]:
    directory = site / ".crossbar"
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def names(site: Path) -> str:
    return subprocess.run(
        ["openssl", "x509", "-in", site / ".crossbar" / "server_cert.pem", "-noout", "-text"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_everything_is_made_without_a_question(site: Path) -> None:
    said = setup(site)
    made = contents(site)
    assert set(made) == {
        "ca_cert.pem",
        "ca_key.pem",
        "server_cert.pem",
        "server_key.pem",
        *(f"secrets/{role}.secret" for role in SECRETS),
    }
    assert "is valid until" in said
    secrets = {made[f"secrets/{role}.secret"].strip() for role in SECRETS}
    assert len(secrets) == 3
    assert all(len(secret) == 64 for secret in secrets)


def test_the_certificate_names_the_router_and_is_signed_by_the_authority(site: Path) -> None:
    setup(site, "--name", "cryo.example.org", "--name=10.1.2.3")
    text = names(site)
    for name in (
        "DNS:localhost",
        "DNS:sisock_crossbar",
        "DNS:sisock-crossbar",
        "IP Address:127.0.0.1",
        "DNS:cryo.example.org",
        "IP Address:10.1.2.3",
    ):
        assert name in text
    crossbar = site / ".crossbar"
    subprocess.run(
        ["openssl", "verify", "-purpose", "sslserver", "-verify_hostname", "localhost", "-CAfile",
         crossbar / "ca_cert.pem", crossbar / "server_cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


def test_private_files_are_their_owners_alone(site: Path) -> None:
    setup(site)
    crossbar = site / ".crossbar"
    for name in ("ca_key.pem", "server_key.pem", *(f"secrets/{role}.secret" for role in SECRETS)):
        assert stat.S_IMODE((crossbar / name).stat().st_mode) == 0o600, name
    for directory in (crossbar, crossbar / "secrets"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_second_time_everything_is_kept(site: Path) -> None:
    setup(site)
    before = contents(site)
    assert "is valid until" in setup(site)
    assert contents(site) == before


def changed(site: Path, *options: str) -> set[str]:
    before = contents(site)
    setup(site, *options)
    after = contents(site)
    assert after.keys() == before.keys()
    return {name for name in before if after[name] != before[name]}


def test_what_each_option_replaces(site: Path) -> None:
    setup(site, "--name", "cryo.example.org")
    assert changed(site, "--renew") == {"server_cert.pem", "server_key.pem"}
    assert "DNS:cryo.example.org" in names(site)
    assert changed(site, "--rotate-secrets") == {"secrets/server.secret", "secrets/consumer.secret"}
    assert changed(site, "--renew-ca") == {
        "ca_cert.pem", "ca_key.pem", "server_cert.pem", "server_key.pem"}  # fmt: skip


def test_an_end_that_is_near_is_told_with_the_remedy(site: Path) -> None:
    assert "./setup-tls.sh --renew" in setup(site, "--days", "20")
    assert "less than 30 days" not in setup(site, "--renew")


def test_a_name_that_the_kept_certificate_lacks_is_told(site: Path) -> None:
    setup(site)
    assert "does not name cryo.example.org: add --renew" in setup(
        site, "--name", "cryo.example.org"
    )


def test_without_the_authoritys_key_there_is_no_renewal(site: Path) -> None:
    setup(site)
    before = contents(site)
    (site / ".crossbar" / "ca_key.pem").unlink()
    assert "--renew-ca" in setup(site, "--renew", status=1)
    del before["ca_key.pem"]
    assert contents(site) == before


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--renw"], "unknown option --renw"),
        (["--days", "soon"], "number of days"),
        (["--days"], "needs a value"),
        (["--name", "a b;c"], "only letters"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_changes_nothing(
    site: Path, options: list[str], word: str
) -> None:
    said = setup(site, *options, status=2)
    assert word in said
    assert said.count("\n") == 1
    assert not (site / ".crossbar").exists()


def test_help(site: Path) -> None:
    assert "--rotate-secrets" in setup(site, "-h") == setup(site, "--help")
    assert not (site / ".crossbar").exists()
