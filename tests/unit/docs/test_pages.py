"""The pages on the instruments: links lead somewhere, examples are well-formed."""

import re
import subprocess

import pytest
import yaml
from support.doc_blocks import DOCS, INSTRUMENTS, blocks, shows

from agents.lakeshore240 import LS240_agent, arguments
from agents.lakeshore372 import LS372_agent, limits
from agents.lakeshore372.settings_file import load_settings

ROOT = DOCS.parent
PAGES = sorted([*INSTRUMENTS.glob("*.md"), *(DOCS / "reference").glob("lakeshore*.md")])
ALL = [(page, block) for page in PAGES for block in blocks(page)]


def named(cases):
    return [pytest.param(block, id=f"{page.name}:{block.line}") for page, block in cases]


def anchors(page):
    """Headings, as they are linked to."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", it.lower()).replace(" ", "-") for it in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", prose):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("block", named((p, b) for p, b in ALL if b.language == "sh"))
def test_shell_lines_are_shell(block):
    done = subprocess.run(
        ["bash", "-n"], check=False, input=block.text, capture_output=True, text=True
    )

    assert done.stderr == ""


@pytest.mark.parametrize("block", named((p, b) for p, b in ALL if b.language == "python"))
def test_python_is_python(block):
    compile(block.text, "page", "exec")


@pytest.mark.parametrize("block", named((p, b) for p, b in ALL if b.language == "yaml"))
def test_yaml_is_yaml(block):
    assert yaml.safe_load(block.text)


def site():
    block = next(b for b in blocks(INSTRUMENTS / "configuration.md") if "site" in b.marks)
    return yaml.safe_load(block.text)


def options(entry):
    """The options of an entry, as the site configuration hands them over: as text."""
    return [str(word) for argument in entry["arguments"] for word in argument]


def test_the_example_site_has_options_that_the_agents_take():
    parsers = {
        "Lakeshore372Agent": LS372_agent.make_parser(),
        "Lakeshore240Agent": LS240_agent.make_parser(),
    }
    bridge, one, two = (parsers[it["agent-class"]].parse_args(options(it)) for it in site())

    assert limits.from_args(bridge) == limits.Limits(
        setpoint_k=0.3, sample_heater_range_a=0.01, still_percent=25.0
    )
    assert bridge.sample_heater
    assert len(arguments.make_drivers(one, parsers["Lakeshore240Agent"])) == 1
    assert len(arguments.make_drivers(two, parsers["Lakeshore240Agent"])) == 2


def test_the_example_settings_file_is_accepted(tmp_path):
    block = next(b for b in blocks(INSTRUMENTS / "configuration.md") if b.file)
    path = tmp_path / "channels.yaml"
    path.write_text(block.text)

    unit = load_settings(path)["LSA23JD"]

    assert unit.autoscan
    assert sorted(unit.channels) == [1, 5]


def test_every_safety_limit_is_explained():
    text = (INSTRUMENTS / "configuration.md").read_text(encoding="utf-8")
    parser = limits.add_arguments(LS372_agent.argparse.ArgumentParser())

    found = [it for it in parser.format_help().split() if it.startswith("--max-")]
    assert len(found) == 5
    assert [it for it in found if f"| `{it}` |" not in text] == []


def test_the_udev_rules_are_those_that_the_page_explains():
    rules = (ROOT / "agents" / "lakeshore240" / "70-lakeshore240.rules").read_text()
    lines = [it for it in rules.splitlines() if it and not it.startswith("#")]

    assert all('=="1fb9"' in it and '=="0205"' in it for it in lines)
    assert [it.partition(",")[0] for it in lines] == [
        'ACTION=="add"',
        'SUBSYSTEM=="tty"',
        'SUBSYSTEM=="tty"',
    ]
    assert 'SYMLINK+="$attr{serial}"' in rules
    assert 'GROUP="dialout"' in rules


def test_an_output_is_compared_line_by_line():
    expected = shows("one …\n…\nlast: 3\n")

    assert expected.fullmatch("one 1\nlast: 3\n")
    assert expected.fullmatch("one 1\nin between\nlast: 3\n")
    assert not expected.fullmatch("one 1\nlast: 4\n")
