"""The messages in our code, as templates, to compare a documented list with."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import attrs

__all__ = ["ROOT", "Message", "messages", "pattern", "texts"]

ROOT = Path(__file__).parents[2]
FOLDERS = ("agents/lakeshore", "agents/lakeshore240", "agents/lakeshore372")

LIBRARY = ("ocs/params.py", "ocs/operations.py", "ocs/agent.py", "ocs/op_registry.py")
"""What clients are told by every Agent; only what concerns instruments is listed."""

VALUE = "\0"
"""Stands in a template for what is put in at run time."""

TOLD = (
    *("InstrumentUnavailable", "WrongInstrument", "Refused", "NotPossible", "LimitExceeded"),
    *("CurveUnfit", "CurveFileError", "CurveIncomplete", "TransferRunning", "SettingsError"),
    *("UnusableReading", "TakenOver", "_NotEnoughReadings", "CannotListen", "BadScenario"),
    *("parser.error",),
)
"""What is raised or called with words for a person, who has to do something about it."""


@attrs.frozen
class Message:
    """A message in the code.

    Attributes:
        where: file and line.
        template: its text, with `VALUE` for what is put in.
    """

    where: str
    template: str


def _template(node: ast.AST) -> str | None:
    """Return the text of a string or f-string; None if it is neither."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(part) or VALUE for part in node.values)
    return None


def _files() -> Iterator[tuple[Path, ast.Module]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def texts() -> list[str]:
    """Return the template of every string in the code."""
    library = [ast.parse((ROOT / name).read_text(encoding="utf-8")) for name in LIBRARY]
    return [
        found
        for module in [*library, *(module for _, module in _files())]
        for node in ast.walk(module)
        if (found := _template(node)) is not None
    ]


def messages() -> list[Message]:
    """Return all messages that people are told with an error."""
    found = []
    for path, module in _files():
        for node in ast.walk(module):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            template = _template(node.args[0])
            if ast.unparse(node.func) in TOLD and template is not None:
                found.append(Message(f"{path.relative_to(ROOT)}:{node.lineno}", template))
    return found


def pattern(stem: str) -> re.Pattern[str]:
    """Return what a documented message looks like, with ``…`` for what may be anything."""
    return re.compile(".*".join(map(re.escape, stem.split("…"))), re.DOTALL)
