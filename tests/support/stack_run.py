"""The stack of docker-compose.yml on a real engine, for tests: commands, and questions to it."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ocs.testing import wait_for

ROOT = Path(__file__).parents[2]
OVERRIDE = "docker/ci/docker-compose.override.yml"
NETWORK = "sisock-net"

# Runs in the container that takes Grafana's place.
_ASK = """
import json, sys, urllib.request
path, body = sys.argv[1], sys.argv[2].encode() or None
request = urllib.request.Request(
    "http://sisock-http:5000" + path, body, {"Content-Type": "application/json"}
)
sys.stdout.write(urllib.request.urlopen(request, timeout=5).read().decode())
"""


def run(
    *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None, ok: bool = True
) -> "subprocess.CompletedProcess[str]":
    """Run a command; unless told otherwise it has to succeed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if ok and done.returncode:
        words = " ".join(map(str, command))
        raise AssertionError(f"{words}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def copy_of_the_project(directory: Path) -> Path:
    """Copy what a fresh clone would have (and what is not committed yet)."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, directory / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return directory


def listeners() -> set[str]:
    """Return the addresses this computer listens on, less those of the loopback interface."""
    lines = run("ss", "-Hltn").stdout.splitlines()
    addresses = {line.split()[3] for line in lines}
    return {at for at in addresses if not at.startswith(("127.", "[::1]"))}


class Stack:
    """One project of Compose.

    Args:
        compose: The command, ``docker-compose`` or ``docker compose``.
        directory: Where the compose file is.
        project: Its name.
        files: Compose files, from `directory`.
        profiles: What runs beside the monitor.
        env: Settings, as in ``.env``.
    """

    def __init__(
        self,
        compose: str,
        directory: Path,
        project: str,
        files: Sequence[str] = ("docker-compose.yml", OVERRIDE),
        profiles: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.project = project
        self.command = compose
        self._command = shlex.split(compose)
        for name in files:
            self._command += ["-f", name]
        self._env = {
            "COMPOSE_PROJECT_NAME": project,
            "COMPOSE_PROFILES": ",".join(profiles),
            **(env or {}),
        }

    def compose(self, *words: str, ok: bool = True) -> str:
        """Run Compose with these words and return what it said."""
        return run(*self._command, *words, cwd=self.directory, env=self._env, ok=ok).stdout

    def services(self) -> list[str]:
        """Return the services that have a container."""
        # Compose 1.29 would list those of other profiles, too.
        mine = f"label=com.docker.compose.project={self.project}"
        name = '{{.Label "com.docker.compose.service"}}'
        return sorted(run("docker", "ps", "-a", "--filter", mine, "--format", name).stdout.split())

    def container(self, service: str) -> str:
        """Return the id of a service's container."""
        found = self.compose("ps", "-q", service).split()
        assert found, f"there is no container of {service}"
        return found[0]

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what the engine tells about a service's container."""
        answer: list[dict[str, Any]] = json.loads(
            run("docker", "inspect", self.container(service)).stdout
        )
        return answer[0]

    def health(self) -> dict[str, str]:
        """Return the state of every service: its health, where it has a health check."""
        states = {}
        for service in self.services():
            state = self.inspect(service)["State"]
            states[service] = state.get("Health", state)["Status"]
        return states

    def wait_until_healthy(self, deadline_s: float = 120.0) -> None:
        """Wait for the health checks of all services."""

        def healthy() -> bool:
            nonlocal last
            last = {name: state for name, state in self.health().items() if state != "healthy"}
            return not last

        last: dict[str, str] = {}
        try:
            wait_for(healthy, deadline_s, "the health of all services")
        except AssertionError:
            if not last:
                raise
            logs = "\n".join(f"== {name}\n{self.logs(name)}" for name in last)
            raise AssertionError(f"not healthy after {deadline_s:g} s: {last}\n{logs}") from None

    def logs(self, service: str, lines: int = 30) -> str:
        """Return the last lines a service wrote, and what its health check said."""
        checks = self.inspect(service)["State"].get("Health", {}).get("Log") or []
        said = "".join(check["Output"] for check in checks[-2:])
        return self.compose("logs", "--no-color", f"--tail={lines}", service, ok=False) + said

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

    def newest(self, field: str) -> float | None:
        """Return the time (Unix s) of the newest sample of the last minute."""
        now = time.time()
        body = {
            "range": {"from": _iso(now - 60), "to": _iso(now + 1)},
            "intervalMs": 100,
            "maxDataPoints": 10_000,
            "targets": [{"refId": "A", "target": field}],
        }
        answer = self.ask("/query", body)
        points = answer[0]["datapoints"] if answer else []
        return points[-1][1] / 1000 if points else None

    def wait_for_data_after(self, since: float, field: str, deadline_s: float) -> float:
        """Wait for a sample taken after a moment; return the seconds it took from then."""

        def arrived() -> bool:
            newest = self.newest(field)
            return newest is not None and newest > since

        wait_for(arrived, deadline_s, f"a new sample of {field}")
        return time.time() - since


def _iso(moment: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment % 1 * 1000):03d}Z"
