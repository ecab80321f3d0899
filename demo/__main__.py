"""Run the whole system on this machine: ``make demo``."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import yaml
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from demo.settings import DemoError, DemoSettings
from demo.supervisor import Supervisor
from ocs.router import router_command, write_router_config
from ocs.runner import Service, run_service

INSTRUMENT = "LSA23JD"
REALM = "test_realm"
POLL_S = 0.25
PATIENCE_S = 60.0
"""After this the demo says that it is late, and goes on waiting."""


def say(text: str) -> None:
    """Show a line to whoever runs the demo."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def site(settings: DemoSettings) -> dict[str, Any]:
    """Return the demo's site configuration."""
    return {
        "hub": {
            "wamp_server": f"ws://127.0.0.1:{settings.router.number}/ws",
            "wamp_http": f"http://127.0.0.1:{settings.router.number}/call",
            "wamp_realm": REALM,
            "address_root": "observatory",
        },
        "hosts": {
            "localhost": {
                "agent-instances": [
                    {
                        "agent-class": "RegistryAgent",
                        "instance-id": "registry",
                        "arguments": [],
                    },
                    {
                        "agent-class": "AggregatorAgent",
                        "instance-id": "aggregator",
                        "arguments": [
                            ["--data-dir", str(settings.data_dir)],
                            ["--initial-state", "record"],
                        ],
                    },
                    {
                        "agent-class": "Lakeshore372Agent",
                        "instance-id": INSTRUMENT,
                        "arguments": [
                            ["--serial-number", INSTRUMENT],
                            ["--ip-address", "127.0.0.1"],
                            ["--port", settings.instrument.number],
                            ["--mode", "acq"],
                            # The demo's instrument changes channels faster than a real one may.
                            ["--settle-by", "status"],
                        ],
                    },
                ]
            }
        },
    }


# Who is asked to end first: the Agent flushes what it has read, then the rest, then the router.
STOP_WAVES = {INSTRUMENT: 0, "router": 2}


def programs(settings: DemoSettings) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Yield name, command line and environment (added to ours) of every program."""
    python = sys.executable
    config = {"OCS_CONFIG_DIR": str(settings.directory / "site")}
    monitor = {
        "CROSSBAR_HOST": "127.0.0.1",
        "CROSSBAR_OCS_PORT": str(settings.router.number),
        "WAMP_REALM": REALM,
    }
    yield "router", router_command(settings.directory / "crossbar"), {}
    yield (
        "ls372-sim",
        [
            *(python, "-m", "agents.lakeshore372.simulator"),
            *("--port", str(settings.instrument.number), "--serial", INSTRUMENT),
            # All sixteen channels in five seconds instead of a minute and a half.
            *("--scan-scale", "0.05", "--dwell", "3"),
            *("--truth", str(settings.directory / f"truth-{INSTRUMENT}.jsonl")),
        ],
        {},
    )
    yield "registry", [python, "-m", "agents.registry.registry"], config
    yield "aggregator", [python, "-m", "agents.aggregator.aggregator_agent"], config
    yield (
        INSTRUMENT,
        [python, "-m", "agents.lakeshore372.LS372_agent", f"--instance-id={INSTRUMENT}"],
        config,
    )
    yield "hub", [python, "-m", "sisock.hub"], monitor
    yield (
        "data-feed",
        [python, "-m", "sisock.feed_node"],
        {
            **monitor,
            "TARGET": INSTRUMENT,
            "NAME": INSTRUMENT,
            "DESCRIPTION": "Simulated Lake Shore 372 on a dilution refrigerator.",
            "FEED": "temperatures",
        },
    )
    yield "http", [python, "-m", "sisock.http.main"], {**monitor, "PORT": str(settings.http.number)}


class Demo(Service):
    """The demo as a service: prepares, starts, tells when it is up, stops.

    Args:
        reactor: The Twisted reactor.
        settings: Ports and directories.
    """

    def __init__(self, reactor: Any, settings: DemoSettings) -> None:
        self._reactor = reactor
        self._settings = settings
        self._supervisor = Supervisor(reactor, say)

    def prepare(self) -> None:
        """Write the configuration files."""
        directory = self._settings.directory
        write_router_config(directory / "crossbar", port=self._settings.router.number, realm=REALM)
        config = directory / "site" / "default.yaml"
        config.parent.mkdir(exist_ok=True)
        text = yaml.safe_dump(site(self._settings), sort_keys=False)
        config.write_text(
            f"# Written by the demo at every start; changes are lost.\n{text}", encoding="utf-8"
        )

    def start(self) -> None:
        """Start all programs, and wait for the first samples."""
        environ = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "LOGLEVEL": "info",
            # The demo's router has no other, whatever the site around it is set up for.
            "WAMP_TRANSPORT": "plain",
        }
        for name, argv, env in programs(self._settings):
            self._supervisor.add(
                name,
                argv,
                {**environ, **env},
                str(self._settings.directory),
                stop_wave=STOP_WAVES.get(name, 1),
            )
        say("Starting router, registry, aggregator, instrument, agent, hub, data node, bridge ...")
        self._supervisor.start()
        Deferred.fromCoroutine(self._announce())

    async def stop(self) -> None:
        """Stop all programs."""
        say("Stopping ...")
        await self._supervisor.stop()
        say("Stopped.")

    async def _announce(self) -> None:
        began = self._reactor.seconds()
        late = False
        while not await self._has_samples():
            if not late and self._reactor.seconds() - began > PATIENCE_S:
                late = True
                say(f"No samples after {PATIENCE_S:g} s; the lines above may tell why. Waiting.")
            await deferLater(self._reactor, POLL_S, lambda: None)
        say("")
        say(f"Live page:      {self._settings.live_url}")
        say(f"Data directory: {self._settings.data_dir}")
        say("Ctrl-C stops everything.")
        say("")

    async def _has_samples(self) -> bool:
        url = f"http://127.0.0.1:{self._settings.http.number}/api/v1/latest"
        return await deferToThread(_answers_with_something, url)


def _answers_with_something(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - http, loopback
            return bool(json.load(response))
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def main() -> None:
    """Run the demo until Ctrl-C."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    try:
        settings = DemoSettings.from_environment()
        settings.check()
        lock = settings.lock()
        demo = Demo(reactor, settings)
        demo.prepare()
    except (DemoError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    with lock:
        raise SystemExit(run_service(reactor, demo))


if __name__ == "__main__":
    main()
