"""A lab in which a page's commands work: simulators in place of the instruments, free ports."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from support.doc_blocks import INSTRUMENTS, Block, blocks, shows

from ocs.client_http import ControlClientError
from ocs.ocs_client import OCSClient
from ocs.testing import AgentProcess, RouterProcess, free_port, site_config, wait_for

__all__ = ["DocsLab"]

ROOT = Path(__file__).parents[2]
LIMITS = [["--max-setpoint", 0.3], ["--max-sample-heater-range", 10e-3], ["--max-still-output", 25]]


class DocsLab:
    """Runs blocks of pages in a directory of its own.

    Args:
        directory: an empty one; the reader's working directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "lab"
        self.ports = {"7777": free_port(), "7790": free_port(), "7791": free_port()}
        self.router_port = free_port()
        self.programs: list[AgentProcess] = []
        self.env = {**os.environ, "PYTHONUNBUFFERED": "1", "OCS_CONFIG_DIR": str(self.config)}
        self.env["PATH"] = f"{self._commands()}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def _commands(self) -> Path:
        """Make our commands as an installation of this tree would have them."""
        folder = self.directory / ".bin"
        folder.mkdir()
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        for name, entry in project["project"]["scripts"].items():
            module, function = entry.split(":")
            command = folder / name
            command.write_text(
                f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\n"
                f"sys.exit({function}())\n"
            )
            command.chmod(0o755)
        return folder

    def place(self, text: str) -> str:
        """Put this lab's addresses in the place of those of a page."""
        port = self.ports["7777"]
        text = text.replace('("10.10.10.6", 7777)', f'("127.0.0.1", {port})')
        text = text.replace("10.10.10.6", f"127.0.0.1:{port}")
        text = text.replace("/tmp/ls240", f"{self.directory}/ls240")
        return re.sub(r"\b(7777|7790|7791)\b", lambda found: str(self.ports[found[0]]), text)

    def start_instruments(self) -> None:
        """Start both simulators; the scan goes round in about 7 s."""
        fast = "ls372-sim --port 7777 --scan-scale 0.1 --dwell 1"
        self.terminal(f"{fast} --control 7790", "listens on")
        self.terminal("ls240-sim --pty /tmp/ls240 --control 7791", "listens on")

    def start(self, router: RouterProcess) -> None:
        """Start simulators and Agents on a router that runs."""
        self.start_instruments()
        address = f"127.0.0.1:{self.ports['7777']}"
        arguments = {
            "LSA23JD": [["--ip-address", address], ["--settle-by", "status"], *LIMITS],
            "LSA2359": [["--port", f"{self.directory}/ls240"], ["--mode", "acq"]],
            "aggregator": [["--data-dir", f"{self.directory}/hk"], ["--initial-state", "record"]],
        }
        classes = ("Lakeshore372Agent", "Lakeshore240Agent", "AggregatorAgent")
        site_config(
            self.config,
            router,
            [
                {"agent-class": kind, "instance-id": name, "arguments": arguments[name]}
                for kind, name in zip(classes, arguments, strict=True)
            ],
        )
        for page in ("configuration.md", "curves.md"):
            for block in blocks(INSTRUMENTS / page):
                self.write(block)
        joined = "session joined"
        aggregator = ROOT / "agents" / "aggregator" / "aggregator_agent.py"
        self.terminal(f"python3 {aggregator} --instance-id=aggregator", joined)
        for module, name in (
            ("agents.lakeshore372.LS372_agent", "LSA23JD"),
            ("agents.lakeshore240.LS240_agent", "LSA2359"),
        ):
            self.terminal(f"python3 -m {module} --instance-id={name}", joined)
            wait_for(lambda name=name: self.data(name).get("fields"), 30, f"readings of {name}")

    def was_left(self, channel: str) -> bool:
        """Tell whether the 372's scanner has been at a channel, and left it a while ago."""
        fields = self.data("LSA23JD").get("fields", {})
        latest = max((it["timestamp"] for it in fields.values()), default=0)
        return channel in fields and latest > fields[channel]["timestamp"] + 1.5

    def client(self, name: str) -> OCSClient:
        """Return a client of an Agent."""
        return OCSClient(name, args=["--site-file", str(self.config / "default.yaml")])

    def data(self, name: str) -> dict:
        """Return what an Agent's acquisition says, as soon as there is something."""
        try:
            return self.client(name).acq.status().session.get("data") or {}
        except ControlClientError:
            return {}

    def terminal(self, command: str, expected: str) -> None:
        """Start a program that runs on; wait until it has written something."""
        env = {**self.env, "LOGLEVEL": "info"}
        program = AgentProcess(
            ["bash", "-c", f"exec {self.place(command.strip())}"], env=env, cwd=self.directory
        )
        self.programs.append(program.start())
        pattern = (
            shows(self.place(expected)) if "\n" in expected else re.compile(re.escape(expected))
        )

        def written() -> bool:
            assert program.process.poll() is None, program.output
            return pattern.search(program.output + "\n") is not None

        try:
            wait_for(written, 30, f"{expected!r} by {command}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{program.output}") from None

    def write(self, block: Block) -> None:
        """Write the file that a block shows, if it shows one."""
        if block.file is not None:
            path = self.directory / block.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, encoding="utf-8")

    def record(self, channel: str) -> None:
        """End the recording, with everything on disk, once the unit has flagged a channel."""
        wait_for(
            lambda: self.data("LSA23JD")["fields"][channel]["R"] is None and self.was_left(channel),
            60,
            f"a flag of {channel}",
        )
        aggregator = self.client("aggregator")
        aggregator.record.stop()
        aggregator.record.wait(20)

    def run(self, block: Block) -> str:
        """Run a block to its end and return what it has written."""
        text = self.place(block.text)
        argv = ["bash", "-ec", text]
        if block.language == "python":
            script = self.directory / "page.py"
            script.write_text(text, encoding="utf-8")
            argv = ["python3", str(script)]
        done = subprocess.run(
            argv,
            check=False,
            env=self.env,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        self._move_router()
        return done.stdout.strip("\n") + "\n"

    def _move_router(self) -> None:
        """Give a site that a page has made the port of this lab's router."""
        for path in (self.config / "lab.yaml", self.config / ".crossbar" / "config.json"):
            if path.exists():
                path.write_text(re.sub(r"\b8001\b", str(self.router_port), path.read_text()))

    def stop(self) -> None:
        """End all programs."""
        for program in reversed(self.programs):
            program.stop()
