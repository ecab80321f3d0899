"""Two programs, one fate; and the certificate is watched."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from support.certificates import Site
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from ocs.server_certificate import ServerCertificate
from sisock.router_main import DAY_S, RouterAndHub


class FakeProgram:
    def __init__(self, name: str, order: list[str]) -> None:
        self.name = name
        self.ended: Deferred[str] = Deferred()
        self.order = order

    def start(self, reactor: Any) -> None:
        self.order.append(f"start {self.name}")

    async def stop(self, reactor: Any, timeout_s: float) -> None:
        self.order.append(f"stop {self.name}")


class StoppableClock(Clock):
    stopped = 0

    def stop(self) -> None:
        self.stopped += 1


def make(
    certificate: ServerCertificate | None = None, clock: Any = None
) -> tuple[RouterAndHub, StoppableClock, list[str], tuple[Any, Any]]:
    reactor, order = StoppableClock(), []
    router: Any = FakeProgram("router", order)
    hub: Any = FakeProgram("hub", order)
    service = RouterAndHub(reactor, router, hub, certificate, ["a note"], clock)
    return service, reactor, order, (router, hub)


def test_the_hub_comes_last_and_goes_first() -> None:
    service, reactor, order, (router, hub) = make()
    service.start()
    done = Deferred.fromCoroutine(service.stop())
    hub.ended.callback("status 0")
    router.ended.callback("status 0")
    assert order == ["start router", "start hub", "stop hub", "stop router"]
    assert done.called
    assert (service.exit_status, reactor.stopped, reactor.getDelayedCalls()) == (0, 0, [])


def test_the_end_of_one_is_the_end() -> None:
    service, reactor, _, (router, hub) = make()
    service.start()
    with capturedLogs() as logs:
        hub.ended.callback("status 2")
        router.ended.callback("signal 9")
    assert (service.exit_status, reactor.stopped) == (1, 1)
    assert [(log["name"], log["how"]) for log in logs] == [("hub", "status 2")]


def test_the_certificate_is_looked_at_every_day(tmp_path: Path) -> None:
    certificate = ServerCertificate.load(Site(tmp_path).crossbar)
    end = certificate.leaf.not_valid_after_utc
    now = end - timedelta(days=30.5)
    service, reactor, _, _ = make(certificate, lambda: now + timedelta(seconds=reactor.seconds()))
    with capturedLogs() as logs:
        service.start()
        assert [log["note"] for log in logs] == ["a note"]
        for _ in range(3):
            reactor.advance(DAY_S)
    assert [log["warning"].split("in ")[1][:7] for log in logs[1:]] == [
        "29 days",
        "28 days",
        "27 days",
    ]
