"""Looking over a site: each fault is said with its remedy, and a good site is in order."""

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ocs.site_check import Finding, check_site_directory
from ocs.site_cli import UsageError, make_parser, run_check
from ocs.site_new import (
    LAKESHORE_240,
    LAKESHORE_372,
    Instrument,
    NewSite,
    find_templates,
    make_site,
)

NOW = datetime.now(UTC)


@pytest.fixture(scope="session")
def good_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site as `ocs-site new` and `setup-tls.sh` make it."""
    base = tmp_path_factory.mktemp("sites")
    instruments = [
        Instrument(LAKESHORE_372, "LSA23JD", "10.10.10.6"),
        Instrument(LAKESHORE_240, "LSA22ZC"),
    ]
    site = NewSite("yale", base / "yale", "lab1", instruments, data_dir=str(base / "hk"))
    make_site(site, find_templates())
    subprocess.run(["./setup-tls.sh"], cwd=site.directory, check=True, capture_output=True)
    return site.directory


@pytest.fixture
def site(good_site: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good_site, tmp_path / "yale", symlinks=True))


def findings(site: Path, hostname: str = "lab1", now: datetime = NOW) -> list[Finding]:
    return check_site_directory(site, hostname, now)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def check(*words: str, default: str | None = None) -> tuple[int, str]:
    told: list[str] = []
    options = make_parser().parse_args(["check", *words])
    return run_check(options, default, NOW, told.append), "".join(told)


def test_a_new_site_is_in_order_once_it_has_certificates(site: Path) -> None:
    assert check(str(site), "--hostname=lab1") == (0, f"{site}: in order\n")
    assert check("--hostname=lab1", default=str(site)) == (0, f"{site}: in order\n")


def test_a_problem_ends_it_with_1_and_one_line(site: Path) -> None:
    (site / ".crossbar" / "server_key.pem").unlink()
    status, told = check(str(site), "--hostname=lab1")
    assert status == 1
    line, end = told.splitlines()
    assert re.search(r"^problem: .* lacks server_key.pem; run ./setup-tls.sh", line)
    assert end == f"{site}: 1 problem"


def test_a_directory_in_the_place_of_a_secret_is_said(site: Path) -> None:
    """Docker makes one for a file that is to be mounted and is not there."""
    secret = site / ".crossbar" / "secrets" / "consumer.secret"
    secret.unlink()
    secret.mkdir()
    status, told = check(str(site), "--hostname=lab1")
    assert status == 1
    assert "secrets/consumer.secret must be a file but is a directory" in told
    assert "lacks secrets/consumer.secret; run ./setup-tls.sh" in told


def test_a_data_dir_that_cannot_even_be_looked_for_ends_nothing(site: Path) -> None:
    text = (site / "yale.yaml").read_text(encoding="utf-8")
    impossible = re.sub(r"('--data-dir',\s*)'[^']*'", rf"\1'/{'x' * 300}'", text)
    assert impossible != text
    (site / "yale.yaml").write_text(impossible, encoding="utf-8")
    assert not [finding for finding in findings(site) if finding.serious]


def test_a_note_is_no_problem(site: Path) -> None:
    change(site / "yale.yaml", "'RegistryAgent'", "'DewarAgent'")
    status, told = check(str(site), "--hostname=lab1")
    assert status == 0
    assert re.search(r"^note: .*line \d+: .*'DewarAgent' is no agent of this project", told)


def test_without_a_directory_it_says_which_to_give() -> None:
    with pytest.raises(UsageError, match="OCS_CONFIG_DIR"):
        check()


def test_what_is_no_directory_is_said_once(tmp_path: Path) -> None:
    (finding,) = findings(tmp_path / "yael")
    assert finding.text.startswith(f"{tmp_path / 'yael'} is no directory")


FAULTS = [
    ("yale.yaml", "  lab1:", "  lab2:", r"no entry for this computer, 'lab1' \(it has: lab2\)"),
    ("yale.yaml", "  lab1:", "  hostname:", "write lab1 in the place of 'hostname'"),
    ("yale.yaml", "'instance-id': 'LSA22ZC'", "'instance-id': 'LSA23JD'", "already taken by"),
    ("yale.yaml", "wamp_realm", "wamp_relm", "did you mean 'wamp_realm'"),
    ("yale.yaml", "'RegistryAgent'", "'RegistryAgnet'", "did you mean 'RegistryAgent'"),
    ("yale.yaml", "hosts:", "hosts: [", "yale.yaml|default.yaml, line .*not valid YAML"),
    ("docker-compose.yml", "services:", "services: [", "docker-compose.yml, line .* not valid"),
    ("docker-compose.yml", "TARGET: LSA23JD", "TARGET: LSA23JX",
     r"services.LSA23JD: TARGET 'LSA23JX' is no instance-id .* did you mean 'LSA23JD'"),
    (".env", "OCS_SOURCE=", "OCS_SOURCE=/no/where", "OCS_SOURCE=.* is no clone of this project"),
    (".env", "OCS_SITE_HOST=lab1", "OCS_SITE_HOST=lab\nCOMPOSE_PROFILES=agents",
     "OCS_SITE_HOST=lab is no host of the site"),
    (".crossbar/config.json", "{", "{{", "config.json is no JSON the router can read"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "words"), FAULTS)
def test_a_fault_is_said_with_its_remedy(
    site: Path, name: str, old: str, new: str, words: str
) -> None:
    change(site / name, old, new)
    said = [finding.text for finding in findings(site) if finding.serious]
    assert any(re.search(words, text) for text in said), said
    assert all("\n" not in text for text in said)


def test_a_name_given_on_two_hosts_is_a_problem(site: Path) -> None:
    with (site / "yale.yaml").open("a", encoding="utf-8") as file:
        file.write(
            "\n  lab2:\n    agent-instances:\n"
            "      - {'agent-class': 'Lakeshore372Agent', 'instance-id': 'LSA23JD'}\n"
        )
    (finding,) = findings(site)
    assert finding.serious
    assert "'LSA23JD' is an instance of host 'lab1' already" in finding.text


def test_an_instrument_that_nobody_shows_is_noted(site: Path) -> None:
    change(site / "docker-compose.yml", "TARGET: LSA22ZC", "TARGET: LSA23JD")
    (finding,) = findings(site)
    assert not finding.serious
    assert "no service has the TARGET LSA22ZC" in finding.text


def test_the_seeds_way_to_write_an_environment_is_understood(site: Path) -> None:
    change(
        site / "docker-compose.yml", "services:\n",
        "services:\n  old:\n    environment:\n      - TARGET=LSA99\n",
    )  # fmt: skip
    (finding,) = findings(site)
    assert "services.old: TARGET 'LSA99'" in finding.text


def test_without_default_yaml_it_tells_the_link_and_checks_the_rest(site: Path) -> None:
    (site / "default.yaml").unlink()
    change(site / "yale.yaml", "  lab1:", "  lab2:")
    said = "\n".join(finding.text for finding in findings(site))
    assert f"ln -sfn yale.yaml {site / 'default.yaml'}" in said
    assert "no entry for this computer" in said
    change(site / "yale.yaml", "  lab2:", "  lab1:")
    assert check(str(site), "--hostname=lab1", "--site=yale")[0] == 0
    (site / "default.yaml").symlink_to("yael.yaml")
    (finding,) = findings(site)
    assert "is a link to a file that is gone; ln -sfn yale.yaml" in finding.text


def test_certificates_that_end_are_said_in_time(site: Path) -> None:
    def said(days: int) -> str:
        return "\n".join(finding.text for finding in findings(site, now=NOW + timedelta(days=days)))

    assert said(700) == ""
    assert "./setup-tls.sh --renew" in said(800)
    assert "expired" in said(830)
    assert "./setup-tls.sh --renew-ca" in said(3640)


def test_a_certificate_of_another_authority_is_said(site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "other", symlinks=True)
    shutil.rmtree(tmp_path / "other" / ".crossbar")
    subprocess.run(["./setup-tls.sh"], cwd=tmp_path / "other", check=True, capture_output=True)
    shutil.copy(tmp_path / "other" / ".crossbar" / "ca_cert.pem", site / ".crossbar")
    (finding,) = findings(site)
    assert "was not issued by ca_cert.pem" in finding.text


@pytest.mark.parametrize(
    ("name", "mode", "remedy"),
    [
        ("ca_key.pem", 0o640, "chmod 600"),
        ("server_key.pem", 0o644, "chmod 640"),
        ("secrets/server.secret", 0o660, "chmod 640"),
    ],
)
def test_what_others_may_read_is_said(site: Path, name: str, mode: int, remedy: str) -> None:
    (site / ".crossbar" / name).chmod(mode)
    (finding,) = findings(site)
    assert f"{name} has mode {mode:o}" in finding.text
    assert remedy in finding.text
    # The containers' group may read what it needs.
    (site / ".crossbar" / name).chmod(0o600 if name == "ca_key.pem" else 0o640)
    assert findings(site) == []


def test_a_site_without_docker_needs_no_certificates(site: Path) -> None:
    (site / "docker-compose.yml").unlink()
    shutil.rmtree(site / ".crossbar")
    (finding,) = findings(site)
    assert not finding.serious
    assert "config.json is missing" in finding.text
