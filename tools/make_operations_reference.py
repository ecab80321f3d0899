"""Write the reference of the Lake Shore Agents and commands out of the code that it describes.

Usage: python tools/make_operations_reference.py [--check]

Operations come from the Agents' docstrings and declared parameters, examples from
``lakeshore_reference/*.yaml`` (a test runs them), command lines from each program's ``--help``.
``--check`` tells whether the pages in ``docs/reference`` are current.
"""

import os
import sys
from pathlib import Path

from lakeshore_reference import commands, operations

ROOT = Path(__file__).resolve().parents[1]

HELP_WIDTH = 100


def files() -> dict[Path, str]:
    """Return path and text of every page."""
    # argparse asks the terminal how wide it is.
    os.environ["COLUMNS"] = str(HELP_WIDTH)
    folder = ROOT / "docs" / "reference"
    return {
        folder / "lakeshore372-operations.md": operations.page(operations.lakeshore372()),
        folder / "lakeshore240-operations.md": operations.page(operations.lakeshore240()),
        folder / "lakeshore-commands.md": commands.page(),
    }


def main(args: list[str]) -> int:
    """Write the pages, or compare them; 1 if one of them differs."""
    if args not in ([], ["--check"]):
        sys.stderr.write("usage: python tools/make_operations_reference.py [--check]\n")
        return 2
    status = 0
    for path, text in files().items():
        if not args:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.stderr.write(
                f"{path.relative_to(ROOT)} is not what tools/make_operations_reference.py "
                "writes: run it\n"
            )
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
