"""What docs/lab-host.md says, beyond what the other tests do with its commands."""

from support.stack_engine import ROOT

PAGE = ROOT / "docs" / "lab-host.md"


def test_packages_are_those_that_ci_installs() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (line,) = (line for line in page.splitlines() if line.startswith("    sudo apt install "))
    engine = (ROOT / "docker" / "ci" / "engine.sh").read_text(encoding="utf-8")
    for package in line.split()[3:]:
        assert package == "git" or f" {package} " in engine
