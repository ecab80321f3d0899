"""The fenced blocks of a documentation page, and whether an output is what a page shows.

What stands behind the language of a block says what a test does with it:

    sh              is run to its end, which must be a success
    sh terminal     is a program that runs on, in a terminal of its own
    sh real         needs the instrument or root: only its syntax is checked
    python          is run as a script
    python recorded is run once what has been published is on disk
    text            is what the block before it writes; … stands for anything
    ... file=NAME   is the content of that file
"""

import re
import textwrap
from pathlib import Path

import attrs

__all__ = ["DOCS", "INSTRUMENTS", "Block", "blocks", "shows"]

DOCS = Path(__file__).parents[2] / "docs"
INSTRUMENTS = DOCS / "instruments"

_FENCE = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@attrs.frozen
class Block:
    """A fenced block.

    Attributes:
        line: where it begins in its page.
        language: first word after the fence.
        marks: the other words.
        text: what is in it, without the page's indentation.
    """

    line: int
    language: str
    marks: tuple[str, ...]
    text: str

    @property
    def file(self) -> str | None:
        """The file whose content it is."""
        return next((it.removeprefix("file=") for it in self.marks if it.startswith("file=")), None)


def blocks(page: Path) -> list[Block]:
    """Return a page's blocks in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            text.count("\n", 0, found.start()) + 1,
            found[2],
            tuple(found[3].split()),
            textwrap.dedent(found[4]),
        )
        for found in _FENCE.finditer(text)
    ]


def shows(expected: str) -> re.Pattern[str]:
    """Return what an output looks like that a page shows with ``…`` for what may be anything."""
    parts = []
    for line in expected.strip().splitlines():
        if line.strip() == "…":
            parts.append(r"(?:.*\n)?")
        else:
            parts.append(".*?".join(map(re.escape, line.split("…"))) + r"\n")
    return re.compile("".join(parts), re.DOTALL)
