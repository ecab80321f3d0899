"""What a reading of a 372 costs through driver, Agent and feed, beside upstream's Agent.

    python bench/lakeshore.py [PYTHON_WITH_UPSTREAM_OCS_AND_SOCS]

One ls372-sim, which answers at once, holds its scanner still; a subscriber counts what arrives
over a real router; processor time is the Agent process's own. Each Agent runs twice: as shipped,
at the ten readings a second that the unit makes, where most of the cost is that of waking up; and
with its pace set to a thousand and the simulator's time a hundred times as fast, where it is that
of the work. The limits are those of the second.
"""

import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ocs.connection import Connection
from ocs.testing import AgentProcess, ReactorThread, RouterProcess, site_config, wait_for

SECONDS = 20.0
# Upstream's Agent knows one port only: it gets an address of its own.
HOST, PORT = "127.0.3.72", 7777


def cpu_s(pid: int) -> float:
    """Processor time that the threads of a process have used, in seconds."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def say(text: str) -> None:
    """Send a line to the simulator as a client of its own."""
    with socket.create_connection((HOST, PORT), timeout=5) as connection:
        connection.sendall(text.encode() + b"\r\n*IDN?\r\n")
        connection.recv(100)


def launcher(name: str, *, paced: bool) -> str:
    """Python source that runs one of the Agents; not paced means a thousand turns a second."""
    if name == "ours":
        fast = "import agents.lakeshore372.acq_process as acq; acq.SAMPLE_RATE_HZ = 1000"
        program = "from agents.lakeshore372.LS372_agent import main"
    else:
        fast = (
            "import ocs.ocs_twisted as twisted; Slow = twisted.Pacemaker; "
            "twisted.Pacemaker = lambda rate, quantize: Slow(1000, quantize)"
        )
        program = "from socs.agents.lakeshore372.agent import main"
    return "\n".join([*([] if paced else [fast]), program, "main()"])


def agent_figures(process: AgentProcess, received: list[int]) -> tuple[float, float]:
    """Readings a second and processor time a reading in ms of an Agent that acquires."""
    with process:
        wait_for(lambda: sum(received) > 20, 60, "readings")
        count, used, began = sum(received), cpu_s(process.pid), time.perf_counter()
        time.sleep(SECONDS)
        count, used = sum(received) - count, cpu_s(process.pid) - used
        return count / (time.perf_counter() - began), 1e3 * used / count


def listen(reactor: ReactorThread, router: RouterProcess, name: str, received: list[int]) -> None:
    """Count the readings in a feed's messages."""

    def count(event: Any) -> None:
        message, _ = event
        received.append(sum(len(block["timestamps"]) for block in message.values()))

    def join() -> Any:
        connection = Connection(reactor.reactor, router.url, router.realm, name=f"bench-{name}")
        connection.subscribe(f"observatory.{name}.feeds.temperatures", count)
        connection.start()
        return connection.when_connected()

    reactor.call(join)


def compare(
    reactor: ReactorThread, directory: Path, upstream: str | None, *, paced: bool
) -> dict[str, tuple[float, float]]:
    """Run each Agent for a while and return its figures by name; see `agent_figures`."""
    names = ["ours", "theirs"] if upstream else ["ours"]
    entries = [
        {
            "agent-class": "Lakeshore372Agent",
            "instance-id": name,
            "arguments": [
                ["--ip-address", HOST],
                ["--mode", "acq"],
                ["--serial-number", "LSA23JD"],
            ],
        }
        for name in names
    ]
    simulator = ["-m", "agents.lakeshore372.simulator", f"--host={HOST}", f"--port={PORT}"]
    if not paced:
        simulator.append("--speed=100")
    figures = {}
    with RouterProcess(directory / "router") as router, AgentProcess(simulator) as sim:
        wait_for(lambda: "listens on" in sim.output, 10, "the simulator")
        say("SCAN 1,0")
        config = site_config(directory / "site", router, entries)
        for name in names:
            received: list[int] = []
            listen(reactor, router, name, received)
            python = sys.executable if name == "ours" else str(upstream)
            words = ["-c", launcher(name, paced=paced), f"--instance-id={name}"]
            process = AgentProcess(
                [python, *words, "--site-host=localhost"],
                env={"OCS_CONFIG_DIR": str(config.parent), "LOGLEVEL": "warn"},
                # Away from this repository, whose ocs would take the place of theirs.
                cwd=directory,
            )
            figures[name] = agent_figures(process, received)
    return figures


def main() -> None:
    upstream = sys.argv[1] if len(sys.argv) > 1 else None
    with ReactorThread() as reactor:
        for paced in (True, False):
            with tempfile.TemporaryDirectory() as scratch:
                figures = compare(reactor, Path(scratch), upstream, paced=paced)
            print("at the unit's own pace" if paced else "as fast as they go")
            for name, (rate, cost_ms) in figures.items():
                print(f"  {name:6} {rate:7.2f} readings/s, {cost_ms:.3f} ms of processor each")
            if upstream:
                (rate, cost), (their_rate, their_cost) = figures["ours"], figures["theirs"]
                print(f"  rate {rate / their_rate:.2f} x upstream's (wanted: at least 1)")
                print(f"  processor {cost / their_cost:.2f} x upstream's (wanted: at most 0.5)")


if __name__ == "__main__":
    main()
