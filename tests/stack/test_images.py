"""What is in the images, and how large they are."""

import json
import tomllib

import pytest
from support.stack_engine import ROOT, run
from support.stack_run import Stack

# Megabytes (10^6 bytes), Python's image included; docs/docker.md lists what they are.
LARGEST = {"sisock-crossbar": 540, "ocs-aggregator-agent": 950}
LARGEST_OF_THE_OTHERS = 335

# Runs in each image: installed packages with their versions, and what should not be there.
LOOK_INSIDE = """
import importlib.metadata, json, os, shutil
packages = {one.metadata["Name"]: one.version for one in importlib.metadata.distributions()}
tools = [name for name in ("gcc", "cc", "clang", "g++", "make", "ld") if shutil.which(name)]
print(json.dumps({"packages": packages, "tools": tools, "cache": os.path.exists("/root/.cache")}))
"""


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


def test_images_are_labelled_and_belong_to_a_normal_user(names: list[str]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name in names:
        (image,) = json.loads(run("docker", "image", "inspect", name).stdout)
        labels = image["Config"]["Labels"]
        title = name.split("/")[1].split(":")[0]
        assert labels["org.opencontainers.image.title"] == title
        assert labels["org.opencontainers.image.version"] == version
        assert image["Config"]["User"] == "5000:5000"


def test_images_have_the_locked_versions_and_nothing_that_builds(names: list[str]) -> None:
    locked = dict(
        line.split("==")
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if "==" in line
    )
    for name in names:
        look = ("--user", "0", "--entrypoint", "python", name, "-c", LOOK_INSIDE)
        inside = json.loads(run("docker", "run", "--rm", "--network", "none", *look).stdout)
        assert inside["tools"] == [], name
        assert not inside["cache"], name
        assert {"cryo-ocs", "twisted"} <= {package.lower() for package in inside["packages"]}
        for package, version in inside["packages"].items():
            key = package.lower().replace("_", "-").replace(".", "-")
            if key not in {"pip", "setuptools", "cryo-ocs"}:
                assert locked.get(key) == version, f"{name}: {key}"
