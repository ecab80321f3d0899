"""The page of command lines, as each program's ``--help`` says them."""

import argparse

from agents.lakeshore import curve_cli
from agents.lakeshore.sim import control_cli
from agents.lakeshore240 import LS240_agent
from agents.lakeshore240 import simulator as simulator240
from agents.lakeshore372 import LS372_agent
from agents.lakeshore372 import simulator as simulator372

__all__ = ["page", "parsers"]

_HEAD = """\
# Command lines of the Lake Shore programs

<!-- Written by tools/make_operations_reference.py from each program's --help: do not edit. -->

The two Agents also have the options of every Agent (`--instance-id`, `--site-file`, …); `--help`
tells all of them. In a site configuration an option is an entry of `arguments`:
`['--max-setpoint', 0.3]`.
"""


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each program, commands of a program included, by what is typed."""
    programs = {
        "LS372_agent.py": LS372_agent.make_parser(),
        "LS240_agent.py": LS240_agent.make_parser(),
        "ls372-sim": simulator372.make_parser(),
        "ls240-sim": simulator240.make_parser(),
        "lakeshore-sim-control": control_cli.make_parser(),
    }
    programs["lakeshore-curve"] = curve = curve_cli.make_parser()
    for action in curve._actions:  # noqa: SLF001 - argparse has no other way
        names = action.choices if isinstance(action.choices, dict) else {}
        for name, parser in names.items():
            programs[f"lakeshore-curve {name}"] = parser
    return programs


def page() -> str:
    """Return the page."""
    parts = [_HEAD]
    for name, parser in parsers().items():
        parts.append(f"## {name}\n\n```text\n{parser.format_help().rstrip()}\n```\n")
    return "\n".join(parts)
