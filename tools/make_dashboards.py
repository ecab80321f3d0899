"""Write Grafana's dashboards into docker/grafana; with ``--check``, tell whether they are current.

Usage: python tools/make_dashboards.py [--check]
"""

import json
import sys
from pathlib import Path

from dashboards import current, legacy
from dashboards.boards import BOARDS

ROOT = Path(__file__).resolve().parents[1]


def files() -> dict[Path, str]:
    """Return path and text of every dashboard."""
    dialects = {"current": current.dashboard, "legacy": legacy.dashboard}
    return {
        ROOT / "docker" / "grafana" / name / "dashboards" / f"{board.uid}.json": json.dumps(
            write(board), indent=2
        )
        + "\n"
        for name, write in dialects.items()
        for board in BOARDS
    }


def main(args: list[str]) -> int:
    """Write the files, or compare them; 1 if one of them differs."""
    if args not in ([], ["--check"]):
        sys.stderr.write("usage: python tools/make_dashboards.py [--check]\n")
        return 2
    wanted = files()
    if not args:
        for path, text in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return 0
    present = {p for folder in {p.parent for p in wanted} for p in folder.glob("*.json")}
    bad = sorted(
        path
        for path in present | wanted.keys()
        if not path.exists() or wanted.get(path) != path.read_text(encoding="utf-8")
    )
    for path in bad:
        sys.stderr.write(
            f"{path.relative_to(ROOT)} is not what tools/make_dashboards.py writes: run it\n"
        )
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
