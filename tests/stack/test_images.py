"""What is in the images, and how large they are."""

import json
import tomllib

import pytest
from support.stack_run import ROOT, Stack, run

# Megabytes (10^6 bytes), Python's image included; docs/docker.md lists what they are.
LARGEST = {"sisock-crossbar": 600, "ocs-aggregator-agent": 1000}
LARGEST_OF_THE_OTHERS = 400


@pytest.fixture(scope="module")
def names(images: Stack) -> list[str]:
    config = images.compose("config").splitlines()
    found = {line.split("image:")[1].strip() for line in config if "image:" in line}
    return sorted(name for name in found if name.startswith("cryo-ocs/"))


def test_no_image_is_larger_than_it_should_be(names: list[str]) -> None:
    assert len(names) == 13
    for name in names:
        size = int(run("docker", "image", "inspect", "--format", "{{.Size}}", name).stdout) / 1e6
        largest = LARGEST.get(name.split("/")[1].split(":")[0], LARGEST_OF_THE_OTHERS)
        assert size <= largest, f"{name}: {size:.0f} MB"


def test_images_are_labelled_and_have_no_compiler_and_no_superuser(names: list[str]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    search = "for tool in gcc cc clang g++ make ld; do command -v $tool; done; true"
    for name in names:
        (image,) = json.loads(run("docker", "image", "inspect", name).stdout)
        labels = image["Config"]["Labels"]
        title = name.split("/")[1].split(":")[0]
        assert labels["org.opencontainers.image.title"] == title
        assert labels["org.opencontainers.image.version"] == version
        assert image["Config"]["User"] == "5000:5000"
        tools = run("docker", "run", "--rm", "--entrypoint", "sh", name, "-c", search).stdout
        assert tools == "", name


def test_installed_versions_are_those_of_the_lock_file(names: list[str]) -> None:
    locked = dict(
        line.split("==")
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if "==" in line
    )
    for name in names:
        listing = run(
            "docker", "run", "--rm", "--entrypoint", "python", name, "-m", "pip", "list",
            "--format=json", "--disable-pip-version-check",
        ).stdout  # fmt: skip
        for package in json.loads(listing):
            key = package["name"].lower().replace("_", "-").replace(".", "-")
            if key not in {"pip", "setuptools", "cryo-ocs"}:
                assert locked.get(key) == package["version"], f"{name}: {key}"
