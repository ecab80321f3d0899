"""The files of the stack agree with each other and with the rest of the project."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / "site-configs" / "templates"
CURRENT_DASHBOARDS = ROOT / "docker" / "grafana" / "current" / "dashboards"
COPIES = [
    (path, TEMPLATES / "dashboards" / path.name) for path in CURRENT_DASHBOARDS.glob("*.json")
]
IN_TEMPLATES = {"OCS_SOURCE": "../..", "GRAFANA_DASHBOARDS": "./dashboards"}


def settings(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.removeprefix("#").partition("=") for line in lines if re.match("#?[A-Z]", line))
    return {
        name: value for name, equals, value in pairs if equals and re.fullmatch("[A-Z0-9_]+", name)
    }


def compose() -> dict:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("source", "copy"), COPIES, ids=lambda path: path.name)
def test_a_new_site_gets_the_same_files(source: Path, copy: Path) -> None:
    assert copy.read_bytes() == source.read_bytes(), f"cp {source} {copy}"
    assert copy.stat().st_mode == source.stat().st_mode


def test_a_new_site_gets_no_dashboard_that_is_gone() -> None:
    assert {path.name for path in CURRENT_DASHBOARDS.glob("*.json")} == {
        path.name for path in (TEMPLATES / "dashboards").iterdir()
    }


def test_a_new_sites_settings_differ_in_where_things_are_only() -> None:
    here, there = settings(ROOT / ".env"), settings(TEMPLATES / ".env")
    assert there == here | IN_TEMPLATES


def test_every_setting_has_a_default_and_an_explanation() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    used = dict(re.findall(r"\$\{([A-Z0-9_]+):-([^}]*)\}", text))
    assert text.count("${") == len(re.findall(r"\$\{[A-Z0-9_]+:-[^}]*\}", text))
    explained = settings(ROOT / ".env")
    assert used.keys() | {"COMPOSE_PROFILES"} == explained.keys()
    for name, default in used.items():
        assert explained[name] == default or (name, default) == ("SISOCK_COMPAT_SECRETS", "")


def test_versions_agree() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]
    assert settings(ROOT / ".env")["OCS_VERSION"] == version
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall("OCS_VERSION=([0-9.]+)", dockerfile)) == {version}
    python = re.search("^ARG PYTHON_IMAGE=(.*)$", dockerfile, re.MULTILINE)[1]
    assert settings(ROOT / ".env")["PYTHON_IMAGE"] == python


def test_every_image_has_a_target_and_its_title() -> None:
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    title = r'^FROM \S+ AS (\S+)\nLABEL org\.opencontainers\.image\.title="([^"]+)"'
    titles = dict(re.findall(title, dockerfile, re.MULTILINE))
    built = {}
    for service in compose()["services"].values():
        if "build" in service:
            name = service["image"].split("/", 1)[1].split(":")[0]
            built[service["build"]["target"]] = name
    assert built == titles


def test_ports_are_published_on_loopback_only() -> None:
    ports = [
        port for service in compose()["services"].values() for port in service.get("ports", [])
    ]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_seeds_services_are_there_by_their_names() -> None:
    services = compose()["services"]
    for name in ("grafana", "sisock-crossbar", "sisock-http", "weather", "LSA23JD"):
        assert "profiles" not in services[name]
    assert services["sisock-crossbar"]["container_name"] == "sisock_crossbar"
    assert services["grafana"]["restart"] == "always"
    assert "ports" not in services["sisock-http"]


def test_images_install_what_the_project_depends_on() -> None:
    script = ROOT / "docker" / "dependencies.py"
    listed = subprocess.run(
        [sys.executable, script, ROOT / "pyproject.toml", "crossbar", "so3g"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert {"twisted", "autobahn", "numpy", "flask"} <= {name.split("[")[0] for name in listed}
    assert not {"crossbar", "so3g"} & set(listed)


def test_a_name_that_is_no_dependency_is_refused(tmp_path: Path) -> None:
    script = ROOT / "docker" / "dependencies.py"
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    done = subprocess.run(
        [sys.executable, script, tmp_path / "pyproject.toml", "crossbat"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "does not depend on crossbat" in done.stderr
