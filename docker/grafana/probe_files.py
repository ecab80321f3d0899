"""Read the files of Grafana's provisioning with the standard library alone."""

import re
from pathlib import Path
from typing import Any

__all__ = ["Unusable", "read_sources", "read_yaml", "some"]


class Unusable(Exception):
    """A file or an argument cannot be used; the message says why."""


def read_yaml(text: str) -> Any:
    """Read the plain part of YAML that provisioning files are written in.

    Mappings, lists, scalars, ``[a, b]`` and comments; anchors and multi-line text are not.
    """
    lines = []
    for raw in text.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        if line:
            lines.append((len(line) - len(line.lstrip()), line.lstrip()))
    value, rest = _block(lines)
    if rest:
        raise Unusable(f"cannot read this YAML: {rest[0][1]!r}")
    return value


_Lines = list[tuple[int, str]]


def _block(lines: _Lines) -> tuple[Any, _Lines]:
    if not lines:
        return None, []
    indent = lines[0][0]
    if lines[0][1].startswith("- "):
        items = []
        while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
            inner = lines[0][1][2:].lstrip()
            if re.match(r"[\w.$-]+:(\s|$)", inner):
                column = indent + len(lines[0][1]) - len(inner)
                item, lines = _block([(column, inner), *lines[1:]])
            else:
                item, lines = _scalar(inner), lines[1:]
            items.append(item)
        return items, lines
    mapping: dict[str, Any] = {}
    while lines and lines[0][0] == indent and not lines[0][1].startswith("- "):
        key, colon, rest = lines[0][1].partition(":")
        if not colon:
            raise Unusable(f"cannot read this YAML: {lines[0][1]!r}")
        lines = lines[1:]
        if rest.strip():
            mapping[key] = _scalar(rest.strip())
        elif lines and (lines[0][0] > indent or lines[0][1].startswith("- ")):
            mapping[key], lines = _block(lines)
        else:
            mapping[key] = None
    return mapping, lines


def _scalar(text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(part.strip()) for part in text[1:-1].split(",") if part.strip()]
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    words = {"true": True, "false": False, "null": None, "~": None}
    if text in words:
        return words[text]
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def read_sources(provisioning: Path) -> list[dict[str, Any]]:
    """Return the data sources of a provisioning folder, and check that dashboards are provided."""
    sources = [
        source
        for path in some(provisioning / "datasources", "*.yaml")
        for source in read_yaml(path.read_text(encoding="utf-8"))["datasources"]
    ]
    for path in some(provisioning / "dashboards", "*.yaml"):
        for provider in read_yaml(path.read_text(encoding="utf-8"))["providers"]:
            if provider.get("type") != "file" or not provider.get("options", {}).get("path"):
                raise Unusable(f"{path}: a provider without type file and options.path")
    return sources


def some(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a folder that match a pattern; at least one there must be."""
    found = sorted(folder.glob(pattern))
    if not found:
        raise Unusable(f"no {pattern} in {folder}")
    return found
