"""Pages of the documentation, followed as their reader would: one command after the other."""

import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from support.stack_engine import PREFIX, run
from support.stack_run import OVERRIDE

__all__ = ["Page", "Reader", "blocks"]


def blocks(text: str) -> list[str]:
    """Return the indented blocks of a page, without their indentation."""
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    stripped = (re.sub("^    ", "", block, flags=re.MULTILINE).strip() for block in found)
    return [block for block in stripped if block]


class Reader:
    """Whoever types the commands of a page: somebody with the right to use Docker.

    Args:
        compose: The command of Compose.
        tools: An empty directory for what takes the place of other programs.
    """

    def __init__(self, compose: str, tools: Path) -> None:
        program, *words = shlex.split(compose)
        self.compose = shlex.join([str(shutil.which(program)), *words])
        self._tools = tools
        for name, command in (("docker-compose", self.compose), ("sudo", "")):
            (tools / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
            (tools / name).chmod(0o755)

    def type(self, commands: str, at: Path) -> str:
        """Run commands in a directory, up to the first that fails, and return what they said."""
        env = {
            "COMPOSE_PROJECT_NAME": PREFIX + at.name,
            "COMPOSE_FILE": f"docker-compose.yml:{OVERRIDE}",
        }
        script = f"PATH={shlex.quote(str(self._tools))}:$PATH\nset -e\n{commands}\n"
        return run("sh", "-c", script, cwd=at, env=env).stdout


class Page:
    """A page whose blocks hold one command a line.

    Args:
        path: The page.
        reader: Who follows it.
        at: The directory it begins in.
        skipped: Beginnings of commands that are not for this computer.
    """

    def __init__(self, path: Path, reader: Reader, at: Path, skipped: Sequence[str]) -> None:
        text = path.read_text(encoding="utf-8")
        lines = [line for block in blocks(text) for line in block.splitlines() if line]
        self._left = [line for line in lines if not line.startswith(tuple(skipped))]
        self._reader = reader
        self.at = at

    def follow(self, last: str) -> None:
        """Go on, up to and with the next command that is `last`."""
        assert last in self._left, f"{last} is not among {self._left}"
        command = None
        while command != last:
            command = self._left.pop(0)
            if command.startswith("cd "):
                self.at /= command.removeprefix("cd ")
            else:
                self._reader.type(command, self.at)

    @property
    def left(self) -> list[str]:
        """The commands that have not been typed yet."""
        return list(self._left)
