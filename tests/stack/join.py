"""Try to join the router over TLS, as any WAMP client could; runs in a container of the stack.

Arguments: file of the trusted authority; name and secret, or nothing to join as anybody. The
first line it says is ``joined``, or why not.
"""

import sys
from pathlib import Path
from typing import Any

from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import WampWebSocketClientFactory
from autobahn.wamp import auth
from twisted.internet import endpoints, ssl
from twisted.internet import reactor as installed

reactor: Any = installed
trust, *who = sys.argv[1:]


class Intruder(ApplicationSession):
    def onConnect(self) -> None:
        if who:
            self.join("test_realm", ["wampcra"], who[0])
        else:
            self.join("test_realm", ["anonymous"])

    def onChallenge(self, challenge: Any) -> str:
        return auth.compute_wcs(who[1], challenge.extra["challenge"]).decode()

    def onJoin(self, _: Any) -> None:
        say("joined")

    def onLeave(self, details: Any) -> None:
        say(f"refused: {details.reason}")


def say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    if reactor.running:
        reactor.stop()


authority = ssl.Certificate.loadPEM(Path(trust).read_bytes())
endpoint = endpoints.wrapClientTLS(
    ssl.optionsForClientTLS("sisock-crossbar", trustRoot=authority),
    endpoints.HostnameEndpoint(reactor, b"sisock-crossbar", 8080),
)
factory = WampWebSocketClientFactory(Intruder, url="wss://sisock-crossbar:8080/ws")


def connected(protocol: Any) -> None:
    protocol.is_closed.addCallback(lambda _: say("closed"))


def attempt() -> None:
    endpoint.connect(factory).addCallbacks(connected, lambda failure: say(str(failure.value)))


reactor.callWhenRunning(attempt)
reactor.callLater(10, say, "no answer")
reactor.run()
