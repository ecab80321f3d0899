"""Print the direct dependencies in a pyproject.toml, less those named after it.

The images leave out what their programs do not import: only the router needs crossbar, only the
recorder so3g, and each of them is larger than everything else together. Versions come from
requirements.lock, which pip gets as its constraints.
"""

import re
import sys
import tomllib
from pathlib import Path


def dependencies(pyproject: Path, without: set[str]) -> list[str]:
    """Return names, with their extras, of what `pyproject` depends on, less `without`.

    Raises:
        ValueError: A name in `without` is no dependency.
    """
    declared = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]
    found = {}
    for requirement in declared:
        match = re.match(r"([A-Za-z0-9._-]+)(\[[^\]]*\])?", requirement)
        if match is None:
            raise ValueError(f"{pyproject}: cannot read the dependency {requirement!r}")
        found[match[1]] = match[0]
    if unknown := without - found.keys():
        raise ValueError(f"{pyproject} does not depend on {', '.join(sorted(unknown))}")
    return [text for name, text in found.items() if name not in without]


if __name__ == "__main__":
    names = dependencies(Path(sys.argv[1]), set(sys.argv[2:]))
    sys.stdout.write("\n".join(names) + "\n")
