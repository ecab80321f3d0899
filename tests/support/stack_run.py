"""The stack of docker-compose.yml on a real engine, for tests: commands, and questions to it."""

import json
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.stack_engine import PREFIX, ROOT, containers_of, inspect, run, wait_for

# Grafana's image cannot be had where this runs.
OVERRIDE = ROOT / "docker" / "ci" / "docker-compose.override.yml"

# Runs in the container that takes Grafana's place.
_ASK = """
import json, sys, urllib.request
path, body = sys.argv[1], sys.argv[2].encode() or None
request = urllib.request.Request(
    "http://sisock-http:5000" + path, body, {"Content-Type": "application/json"}
)
sys.stdout.write(urllib.request.urlopen(request, timeout=5).read().decode())
"""


def copy_of_the_project(directory: Path) -> Path:
    """Copy what a fresh clone would have (and what is not committed yet)."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, directory / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return directory


class Stack:
    """One project of Compose.

    Args:
        compose: The command, ``docker-compose`` or ``docker compose``.
        directory: Where the compose file is.
        project: Its name.
        files: Compose files, from `directory`.
        profiles: What runs beside the monitor.
    """

    def __init__(
        self,
        compose: str,
        directory: Path,
        project: str,
        files: Sequence[str | Path] = ("docker-compose.yml", OVERRIDE),
        profiles: Sequence[str | Path] = (),
    ) -> None:
        self.directory = directory
        self.project = project
        assert project.startswith(PREFIX)
        self._command = shlex.split(compose)
        for name in files:
            self._command += ["-f", str(name)]
        self._env = {"COMPOSE_PROJECT_NAME": project, "COMPOSE_PROFILES": ",".join(profiles)}

    def compose(self, *words: str, ok: bool = True) -> str:
        """Run Compose with these words and return what it said."""
        return run(*self._command, *words, cwd=self.directory, env=self._env, ok=ok).stdout

    def container(self, service: str) -> str:
        """Return the id of a service's container."""
        found = containers_of(self.project)
        assert service in found, f"there is no container of {service}"
        return found[service]

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what the engine tells about a service's container."""
        return inspect(self.container(service))[0]

    def health(self) -> dict[str, str]:
        """Return the state of every service: its health, where it has a health check."""
        found = containers_of(self.project)
        if not found:
            return {}
        states = [one["State"] for one in inspect(*found.values())]
        return {
            service: state.get("Health", state)["Status"]
            for service, state in zip(found, states, strict=True)
        }

    def wait_until_healthy(self, deadline_s: float = 120.0) -> None:
        """Wait for the health checks of all services."""

        def healthy() -> bool:
            nonlocal last
            states = self.health()
            last = {name: state for name, state in states.items() if state != "healthy"}
            return bool(states) and not last

        last: dict[str, str] = {}
        try:
            wait_for(healthy, deadline_s, "the health of all services")
        except AssertionError:
            raise AssertionError(f"not healthy after {deadline_s:g} s: {last}") from None

    def kill(self, service: str) -> None:
        """Let a service's program die at once, as of a crash.

        Not with ``docker kill``: the engine takes that for somebody's wish, and leaves it so.
        """
        os.kill(self.inspect(service)["State"]["Pid"], signal.SIGKILL)

    def in_network(self, *command: str, ok: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a command where Grafana would be."""
        return run("docker", "exec", self.container("grafana"), *command, ok=ok)

    def ask(self, path: str, body: Any = None) -> Any:
        """Ask the HTTP bridge from inside the network; None if there is no good answer."""
        text = "" if body is None else json.dumps(body)
        done = self.in_network("python", "-c", _ASK, path, text, ok=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def newest(self, node: str) -> float | None:
        """Return the time (Unix s) of a data node's newest sample."""
        latest = self.ask("/api/v1/latest") or []
        times = [item["time"] for item in latest if item["name"].startswith(f"{node}::")]
        return max(times) if times else None

    def wait_for_samples_after(
        self, since: float, node: str = "LSA23JD", deadline_s: float = 15.0
    ) -> None:
        """Wait for a sample taken after a moment: of any channel, as a 372 scans them."""

        def arrived() -> bool:
            newest = self.newest(node)
            return newest is not None and newest > since

        wait_for(arrived, deadline_s, f"a new sample of {node}")
