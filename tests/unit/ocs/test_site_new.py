"""A new site, from the question to the files a person finds."""

import argparse
import shutil
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from ocs.site_cli import main, make_parser, run_new
from ocs.site_config import resolve_args
from ocs.site_new import (
    LAKESHORE_372,
    Instrument,
    NewSite,
    NewSiteError,
    Templates,
    find_templates,
    make_site,
)

ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / "site-configs" / "templates"
LAB = ["--hostname=lab1", "--lakeshore372=LSA23JD=10.10.10.6", "--lakeshore240=LSA22ZC"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def a_site(directory: Path) -> NewSite:
    instruments = [Instrument(LAKESHORE_372, "LSA23JD", "10.10.10.6")]
    return NewSite("yale", directory, "lab1", instruments)


def new(*words: str, ask: Callable[[str], str] | None = None) -> str:
    """Run ``ocs-site new``; return what it tells."""
    told: list[str] = []
    assert run_new(make_parser().parse_args(["new", *words]), ask, told.append) == 0
    return "".join(told)


def failing(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command as a program that fails; return its line on stderr."""
    assert main(["new", *words]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def answers(*lines: str) -> Callable[[str], str]:
    left = list(lines)
    return lambda _: left.pop(0)


def instances(directory: Path) -> list[dict]:
    site = yaml.safe_load((directory / "default.yaml").read_text(encoding="utf-8"))
    ((hostname, host),) = site["hosts"].items()
    assert hostname == "lab1"
    return host["agent-instances"]


def data_nodes(directory: Path) -> dict[str, dict]:
    compose = yaml.safe_load((directory / "docker-compose.yml").read_text(encoding="utf-8"))
    return {
        name: service
        for name, service in compose["services"].items()
        if "TARGET" in (service.get("environment") or {})
    }


def settings(directory: Path) -> dict[str, str]:
    lines = (directory / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.lstrip().startswith("#")]


def test_everything_of_the_templates_is_there(here: Path) -> None:
    new("yale", *LAB)
    made = {path.relative_to("yale") for path in Path("yale").rglob("*") if path.is_file()}
    # What somebody working in the templates has made there is not theirs.
    given = {
        path.relative_to(TEMPLATES)
        for path in TEMPLATES.rglob("*")
        if path.is_file()
        and (path.parent.name != ".crossbar" or path.name == "config.json")
        and path.relative_to(TEMPLATES).parts[0] != "data"
        and "secrets" not in path.parts
    }
    assert made == given - {Path("ocs_template.yaml")} | {Path("yale.yaml"), Path("default.yaml")}
    assert Path("yale/setup-tls.sh").stat().st_mode & 0o111 == 0o111
    assert Path("yale/default.yaml").readlink() == Path("yale.yaml")
    assert [path.name for path in here.iterdir()] == ["yale"]


def test_an_agent_of_each_instrument_starts_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    new("yale", *LAB, "--lakeshore372", "LSA24AA=bridge2.lab:7777", "--data-dir", "/srv/it's data")
    monkeypatch.setenv("OCS_CONFIG_DIR", str(Path("yale").absolute()))

    def configured(*options: str, agent_class: str) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        for option in ("--serial-number", "--ip-address", "--port", "--data-dir", "--mode"):
            parser.add_argument(option)
        words = ["--site-host=lab1", *options]
        return resolve_args(agent_class, parser, words, echo=lambda _: None)

    first = configured("--instance-id=LSA23JD", agent_class="Lakeshore372Agent")
    assert (first.serial_number, first.ip_address) == ("LSA23JD", "10.10.10.6")
    second = configured("--instance-id=LSA24AA", agent_class="Lakeshore372Agent")
    assert (second.serial_number, second.ip_address) == ("LSA24AA", "bridge2.lab:7777")
    module = configured(agent_class="Lakeshore240Agent")
    assert (module.instance_id, module.serial_number, module.port) == ("LSA22ZC", "LSA22ZC", None)
    assert module.mode == "acq"
    assert configured(agent_class="AggregatorAgent").data_dir == "/srv/it's data"
    assert configured(agent_class="RegistryAgent").instance_id == "registry"


def test_each_instrument_has_its_data_node_and_no_example_is_left() -> None:
    new("yale", *LAB, "--lakeshore240", "LSA22ZD=/dev/ttyUSB1")
    nodes = data_nodes(Path("yale"))
    assert list(nodes) == ["LSA23JD", "LSA22ZC", "LSA22ZD"]
    for name, node in nodes.items():
        assert "profiles" not in node
        assert node["environment"]["TARGET"] == node["environment"]["NAME"] == name
    assert nodes["LSA23JD"]["environment"]["DESCRIPTION"] == "Lake Shore 372 LSA23JD at 10.10.10.6"
    theirs = yaml.safe_load((TEMPLATES / "docker-compose.yml").read_text(encoding="utf-8"))
    ours = yaml.safe_load(Path("yale/docker-compose.yml").read_text(encoding="utf-8"))
    for compose in (theirs, ours):
        for name in ("LSA23JD", "LSA22ZC", "LSA22ZD", "ls240"):
            compose["services"].pop(name, None)
    assert ours == theirs


def test_comments_stay() -> None:
    new("yale", *LAB)
    for template, made in (
        ("ocs_template.yaml", "yale.yaml"),
        ("docker-compose.yml", "docker-compose.yml"),
        (".env", ".env"),
    ):
        before = (TEMPLATES / template).read_text(encoding="utf-8")
        after = (Path("yale") / made).read_text(encoding="utf-8")
        assert comments(after) == comments(before)


@pytest.mark.parametrize(
    ("flags", "serials"),
    [
        (["--lakeshore372=LSA23JD=10.10.10.6"], ["LSA23JD"]),
        (["--lakeshore240=LSA22ZC"], ["LSA22ZC"]),
        (["--no-instruments"], []),
        (["--lakeshore240=240123"], ["240123"]),
    ],
)
def test_what_a_lab_does_not_have_is_not_there(flags: list[str], serials: list[str]) -> None:
    new("yale", "--hostname=lab1", *flags)
    ids = [instance["instance-id"] for instance in instances(Path("yale"))]
    assert ids == [*serials, "aggregator", "registry"]
    assert list(data_nodes(Path("yale"))) == serials


def test_settings_fit_the_site() -> None:
    new("yale", *LAB, "--lakeshore240=LSA22ZD=/dev/ttyUSB7", "--no-link")
    made = settings(Path("yale"))
    assert made["OCS_SITE_HOST"] == "lab1"
    assert (made["LS372_ID"], made["LS240_ID"]) == ("LSA23JD", "LSA22ZC")
    assert made["LS240_DEVICE"] == "/dev/null"
    assert made["OCS_SITE_CONFIG"] == "./yale.yaml"
    assert not Path("yale/default.yaml").exists()
    assert (Path("yale") / made["OCS_SOURCE"] / "docker" / "Dockerfile").is_file()


def test_a_site_inside_the_clone_moves_with_it(here: Path) -> None:
    clone = here / "clone"
    shutil.copytree(TEMPLATES, clone / "site-configs" / "templates")
    (clone / "ocs").mkdir()
    templates = find_templates(clone / "ocs")
    make_site(a_site(clone / "site-configs" / "yale"), templates)
    assert settings(clone / "site-configs" / "yale")["OCS_SOURCE"] == "../.."
    make_site(a_site(here / "yale"), templates)
    assert settings(here / "yale")["OCS_SOURCE"] == str(clone)


def test_an_installed_package_brings_its_templates(here: Path) -> None:
    package = here / "site-packages" / "ocs"
    shutil.copytree(TEMPLATES, package / "site_templates")
    assert find_templates(package) == Templates(package / "site_templates", None)


def test_no_keys_of_others_are_copied(here: Path) -> None:
    templates = here / "templates"
    shutil.copytree(TEMPLATES, templates)
    (templates / ".crossbar" / "secrets").mkdir(exist_ok=True)
    (templates / ".crossbar" / "secrets" / "server.secret").write_text("theirs")
    (templates / ".crossbar" / "ca_key.pem").write_text("theirs")
    (templates / "data").mkdir(exist_ok=True)
    make_site(a_site(here / "yale"), Templates(templates))
    assert [path.name for path in (here / "yale" / ".crossbar").iterdir()] == ["config.json"]
    assert not (here / "yale" / "data").exists()


def test_it_says_what_to_do_next(here: Path) -> None:
    told = new("yale", *LAB)
    for command in (
        f"export OCS_CONFIG_DIR={here / 'yale'}",
        "./setup-tls.sh && sudo ./init-docker-env.sh",
        "docker-compose up -d",
        "ocs-site check",
    ):
        assert command in told


def test_a_person_is_asked_for_what_is_missing_until_the_answer_will_do() -> None:
    told = new(
        "--hostname=lab1",
        ask=answers(
            "my lab", "yale", "LSA23JD", "LSA23JD=10.10.10.6", "", "LSA22ZC=/dev/ttyUSB0", ""
        ),
    )
    assert "the name 'my lab' cannot be a site's" in told
    assert "'LSA23JD' is not SN=ADDRESS" in told
    ids = [instance["instance-id"] for instance in instances(Path("yale"))]
    assert ids == ["LSA23JD", "LSA22ZC", "aggregator", "registry"]


def test_nobody_is_asked_for_what_was_given() -> None:
    new("yale", *LAB, ask=answers())
    assert Path("yale/yale.yaml").is_file()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (LAB, "the name of the site is missing: ocs-site new NAME"),
        (["yale"], "no instrument is given: --lakeshore372 SN=ADDRESS, --lakeshore240 SN[=PORT]"),
        (["yale", *LAB, "--no-instruments"], "--no-instruments excludes"),
        (["ya/le", *LAB], "the name 'ya/le' cannot be a site's"),
        (["default", *LAB], "the name 'default' cannot be a site's"),
        (["yale", *LAB, "--hostname=a b"], "'a b' is no host name"),
        (["yale", *LAB, "--data-dir=hk"], "--data-dir 'hk' must be an absolute path"),
        (["yale", *LAB, "--lakeshore240=LSA23JD"], "LSA23JD is given twice"),
        (["yale", *LAB, "--directory=no/where"], "cannot make a directory in"),
        (["yale", "--lakeshore240=grafana"], "yale/docker-compose.yml, line"),
        (["yale", "--lakeshore240=registry"], "'registry' is already taken"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_leaves_nothing(
    words: Sequence[str], line: str, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    assert line in failing(*words, capsys=capsys)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    "flag", ["--lakeshore372=LSA23JD", "--lakeshore372=LSA 1=a", "--lakeshore240=LSA22ZC="]
)
def test_a_malformed_instrument_names_its_flag(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["new", "yale", flag])
    assert ended.value.code == 2
    assert f"argument {flag.partition('=')[0]}:" in capsys.readouterr().err


def test_an_existing_directory_is_left_alone(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "yale").mkdir()
    assert "yale exists already" in failing("yale", *LAB, capsys=capsys)
    assert list((here / "yale").iterdir()) == []


def test_a_failure_half_way_leaves_nothing(
    here: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    templates = tmp_path_factory.mktemp("broken") / "templates"
    shutil.copytree(TEMPLATES, templates)
    (templates / ".env").unlink()
    with pytest.raises(NewSiteError, match="nothing was made"):
        make_site(a_site(here / "yale"), Templates(templates))
    assert list(here.iterdir()) == []


def test_all_templates_are_in_the_wheel_and_no_keys() -> None:
    project = tomllib.loads((TEMPLATES.parents[1] / "pyproject.toml").read_text())
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    sources = [TEMPLATES.parents[1] / source for source in shipped]
    files = {path for source in sources for path in [source, *source.rglob("*")] if path.is_file()}
    keys = {path for path in TEMPLATES.glob(".crossbar/**/*") if path.name != "config.json"}
    assert files == {path for path in TEMPLATES.rglob("*") if path.is_file()} - keys
    assert {source.removeprefix("site-configs/templates/") for source in shipped} == {
        target.removeprefix("ocs/site_templates/") for target in shipped.values()
    }
