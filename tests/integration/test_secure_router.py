"""The router of a site, with TLS and secrets, as `sisock-crossbar` runs it."""

import json
import os
import signal
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp import auth
from autobahn.wamp.exception import ApplicationError
from OpenSSL import crypto
from support.certificates import Issued, Site
from twisted.internet._sslverify import OpenSSLCertificateAuthorities
from twisted.internet.defer import Deferred
from twisted.internet.ssl import CertificateOptions

from ocs.connection import Connection
from ocs.credentials import Credentials
from ocs.router_address import RouterAddress
from ocs.router_link import JoinFailed, RouterLink
from ocs.testing import AgentProcess, ReactorThread, free_port, wait_for
from sisock import uris

REALM = "test_realm"


class SecureRouter(AgentProcess):
    """`sisock-crossbar` for a site, on free ports."""

    def __init__(self, site: Site, **env: str) -> None:
        self.site = site
        self.tls_port, self.port = free_port(), free_port()
        self.environment = {
            "CROSSBAR_HOST": "localhost",
            "CROSSBAR_TLS_PORT": str(self.tls_port),
            "CROSSBAR_OCS_PORT": str(self.port),
        }
        super().__init__(
            ["-m", "sisock.router_main"], env={**self.environment, **env}, cwd=site.directory
        )

    @property
    def url(self) -> str:
        return f"wss://localhost:{self.tls_port}/ws"

    @property
    def plain_url(self) -> str:
        return f"ws://localhost:{self.port}/ws"

    def start(self) -> Self:
        self.lines.clear()
        super().start()
        try:
            self.wait_for_line("hub is up", 30)
        except BaseException:
            self.kill()
            raise
        return self

    def free(self) -> bool:
        """Whether nobody listens any more."""
        for port in (self.tls_port, self.port):
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return False
        return True

    def stop(self, deadline_s: float = 15.0) -> int:
        status = super().stop(deadline_s)
        wait_for(self.free, 10, "the end of the router")
        return status


class Links:
    """Connections to a router, stopped at the end."""

    def __init__(self, thread: ReactorThread) -> None:
        self.thread = thread
        self.made: list[Connection] = []

    def start(
        self,
        router: SecureRouter,
        authid: str = "site-server",
        secret: str = "secret-of-the-server",
        trust: Path | None = None,
    ) -> Connection:
        link = Connection(
            self.thread.reactor,
            router.url,
            REALM,
            name="test",
            credentials=Credentials(authid, secret),
            trust=trust or router.site.ca_file,
            retry_policy=lambda attempt: 0.1,
        )
        self.made.append(link)
        self.thread.call(link.start)
        return link

    def join(self, router: SecureRouter, *args: Any, **kwargs: Any) -> Connection:
        link = self.start(router, *args, **kwargs)
        self.wait(link)
        return link

    def wait(self, link: Connection, deadline_s: float = 15.0) -> None:
        wait_for(lambda: link.status.state == "connected", deadline_s, f"a session of {link.url}")

    def call(self, link: Connection, *args: Any) -> Any:
        return self.thread.call(lambda: Deferred.fromCoroutine(link.call(*args, timeout=10)))

    def refusal(self, link: Connection, part: str) -> str:
        wait_for(lambda: part in link.status.reason, 10, f"{part!r} (is: {link.status.reason!r})")
        assert link.session_id is None
        return link.status.reason


@pytest.fixture
def links(reactor_thread: ReactorThread) -> Iterator[Links]:
    links = Links(reactor_thread)
    yield links
    for link in links.made:
        reactor_thread.call(link.stop)


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureRouter]:
    with SecureRouter(Site(tmp_path_factory.mktemp("site"))) as router:
        yield router


@pytest.mark.parametrize("authid", ["site-server", "server"])
def test_the_right_secret(links: Links, router: SecureRouter, authid: str) -> None:
    link = links.join(router, authid)
    details = links.call(link, "wamp.session.get", link.session_id)
    assert (details["authid"], details["authrole"]) == (authid, "server")
    assert details["authmethod"] == "wampcra"
    assert links.call(link, uris.GET_DATA_NODE) == []


def test_the_wrong_secret(links: Links, router: SecureRouter) -> None:
    reason = links.refusal(links.start(router, secret="guess"), "refused the session")
    assert "'site-server'" in reason
    assert "./setup-tls.sh" in reason
    assert "guess" not in reason
    # What everybody knows from upstream's sources is of no use here.
    links.refusal(links.start(router, "server", "Q5#x4%HCmgTsS!Pj"), "refused the session")


def test_an_unknown_name(links: Links, router: SecureRouter) -> None:
    reason = links.refusal(links.start(router, "nobody"), "refused the session")
    assert '"nobody"' in reason


def test_a_wrong_authority(links: Links, router: SecureRouter, tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_bytes(Issued.make("somebody else", authority=True).pem)
    reason = links.refusal(links.start(router, trust=wrong), "is not trusted")
    assert "was not issued by any" in reason


def test_nobody_comes_in_without_a_name(links: Links, router: SecureRouter) -> None:
    async def join() -> str:
        address = RouterAddress(router.url, "localhost", router.tls_port, None, router.site.ca_file)
        link = await RouterLink.open(links.thread.reactor, address, REALM)
        try:
            await link.join({}, [])
        except JoinFailed as error:
            return str(error)
        finally:
            await link.leave()
        return "joined"

    answer = links.thread.call(lambda: Deferred.fromCoroutine(join()))
    assert "refused the session" in answer
    assert "wants a name and a secret" in answer


def test_a_consumer_reads_only(links: Links, router: SecureRouter) -> None:
    consumer = links.join(router, "site-consumer", "secret-of-the-consumer")
    server = links.join(router)
    assert links.call(consumer, uris.GET_DATA_NODE) == []
    for procedure, args in (
        (uris.ADD, ("fake", "a fake node", consumer.session_id)),
        (uris.SUBTRACT, ("fake", server.session_id)),
        ("wamp.session.list", ()),
        ("observatory.LSA22YE.ops", ()),
    ):
        with pytest.raises(ApplicationError, match="not_authorized"):
            links.call(consumer, procedure, *args)
    assert links.call(server, uris.GET_DATA_NODE) == []

    impostor = Connection(
        links.thread.reactor,
        router.url,
        REALM,
        name="impostor",
        credentials=Credentials("simonsobs", "secret-of-the-consumer"),
        trust=router.site.ca_file,
    )
    links.made.append(impostor)
    impostor.register(uris.get_data_uri("fake"), lambda *args: {})
    links.thread.call(impostor.start)
    wait_for(lambda: "not_authorized" in impostor.status.error, 10, "the refusal to register")

    events: list[str] = []

    def listen() -> None:
        for topic in (uris.NODE_ADDED, uris.HUB_STARTED):
            consumer.subscribe(topic, lambda *args, topic=topic: events.append(topic))

    links.thread.call(listen)

    def heard() -> bool:
        links.thread.call(consumer.publish, uris.NODE_ADDED, {"name": "fake", "description": ""})
        links.thread.call(server.publish, uris.HUB_STARTED)
        return uris.HUB_STARTED in events

    listener: list[Any] = []
    links.thread.call(lambda: server.subscribe(uris.NODE_ADDED, listener.append))
    wait_for(heard, 10, "the hub's event")
    assert listener == [], "a consumer has published as the hub"
    links.call(server, uris.ADD, "real", "a real node", server.session_id)
    wait_for(lambda: uris.NODE_ADDED in events and len(listener) == 1, 10, "the real event")
    links.call(server, uris.SUBTRACT, "real", server.session_id)


def test_agents_still_come_in_through_the_plain_port(links: Links, router: SecureRouter) -> None:
    agent = Connection(links.thread.reactor, router.plain_url, REALM, name="agent")
    links.made.append(agent)
    agent.register("observatory.agent.ops", lambda: "fine")
    links.thread.call(agent.start)
    links.wait(agent)
    assert links.call(links.join(router), "observatory.agent.ops") == "fine"
    wrong = Connection(
        links.thread.reactor, f"ws://localhost:{router.tls_port}/ws", REALM, name="wrong port"
    )
    links.made.append(wrong)
    links.thread.call(wrong.start)
    wait_for(lambda: "wss:// for the TLS port" in wrong.status.reason, 10, "TLS port's refusal")


def test_anybody_may_see_that_somebody_is_there(router: SecureRouter) -> None:
    context = ssl.create_default_context(cafile=str(router.site.ca_file))
    url = f"https://localhost:{router.tls_port}/info"
    with urllib.request.urlopen(url, context=context, timeout=5) as answer:
        assert answer.status == 200


def upstream_join(
    thread: ReactorThread, router: SecureRouter, trust: Path, authid: str, secret: str
) -> str:
    """Join as upstream's programs do: the file's first certificate is the only authority."""
    done: Deferred[str] = Deferred()

    class Session(ApplicationSession):  # type: ignore[misc]
        def onConnect(self) -> None:
            self.join(REALM, ["wampcra"], authid)

        def onChallenge(self, challenge: Any) -> Any:
            return auth.compute_wcs(secret.encode(), challenge.extra["challenge"].encode()).decode()

        def onJoin(self, details: Any) -> None:
            done.callback(details.authrole)
            self.leave()

        def onLeave(self, details: Any) -> None:
            if not done.called:
                done.callback(str(details.message))
            self.disconnect()

    def run() -> "Deferred[str]":
        certificate = crypto.load_certificate(crypto.FILETYPE_PEM, trust.read_bytes())
        options = CertificateOptions(trustRoot=OpenSSLCertificateAuthorities([certificate]))
        runner = ApplicationRunner(f"wss://127.0.0.1:{router.tls_port}/ws", REALM, ssl=options)
        runner.run(Session, start_reactor=False, auto_reconnect=False).addErrback(
            lambda failure: done.called or done.errback(failure)
        )
        return done.addTimeout(10, thread.reactor)

    answer: str = thread.call(run)
    return answer


def test_upstreams_secrets_on_request(
    links: Links, reactor_thread: ReactorThread, tmp_path: Path
) -> None:
    site = Site(tmp_path)
    # As the seed's sites have it, and as its programs want it: signed by itself, and no name.
    site.install(Issued.make("localhost"))
    pinned = site.crossbar / "server_cert.pem"
    with SecureRouter(site, SISOCK_COMPAT_SECRETS="1") as router:
        assert "SISOCK_COMPAT_SECRETS=1: everybody knows the secrets" in router.output
        for authid, secret, role in (
            ("server", "Q5#x4%HCmgTsS!Pj", "server"),
            ("simonsobs", "yW4V2T^bPD&rGFwy", "consumer"),
        ):
            assert upstream_join(reactor_thread, router, pinned, authid, secret) == role
        # Ours go on with the site's own.
        assert links.join(router, trust=pinned).session_id
        assert links.join(router, "site-consumer", "secret-of-the-consumer", pinned).session_id
        links.refusal(links.start(router, "server", trust=pinned), "refused the session")


def test_upstreams_programs_and_an_authority(
    reactor_thread: ReactorThread, router: SecureRouter
) -> None:
    """They need the authority in the place of the router's certificate."""
    role = upstream_join(
        reactor_thread, router, router.site.ca_file, "server", "secret-of-the-server"
    )
    assert role == "server"


def test_the_bridge_over_tls(links: Links, router: SecureRouter) -> None:
    """Settings come from the site's directory: nothing but the ports is said to the programs."""
    node = Connection(
        links.thread.reactor,
        router.url,
        REALM,
        name="node",
        credentials=Credentials("site-server", "secret-of-the-server"),
        trust=router.site.ca_file,
    )
    links.made.append(node)
    fields = [
        {"wind": {"description": "", "timeline": "t", "type": "number", "units": "km/h"}},
        {"t": {"interval": None, "field": ["wind"]}},
    ]
    data = {"data": {"wind": [3.5]}, "timeline": {"t": {"t": [2000.0], "finalized_until": None}}}
    node.register(uris.get_fields_uri("weather"), lambda *args: fields)
    node.register(uris.get_data_uri("weather"), lambda *args, **kwargs: data)
    links.thread.call(node.start)
    links.wait(node)
    assert links.call(node, uris.ADD, "weather", "wind", node.session_id) is True
    port = free_port()

    def search() -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/search", b"{}", {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    with AgentProcess(
        ["-m", "sisock.http.main"],
        env={**router.environment, "PORT": str(port)},
        cwd=router.site.directory,
    ) as bridge:
        bridge.wait_for_line("authid=<site-consumer>", 20)
        assert "authrole=<consumer>" in bridge.output
        assert wait_for(search, 10, "the field") == ["weather::wind"]
        # What only events tell: the consumer may hear them.
        links.thread.call(node.stop)
        wait_for(
            lambda: "weather" not in links.call(links.join(router), uris.GET_DATA_NODE),
            5,
            "the node's end",
        )
        assert "not_authorized" not in bridge.output


def test_a_renewed_certificate(links: Links, tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.renew(days=9.5)
    router = SecureRouter(site)
    with router:
        assert "expires on" in router.output
        assert "in 9 days; run ./setup-tls.sh --renew" in router.output
        link = links.join(router)
        first = link.session_id
        router.stop()
        wait_for(lambda: link.session_id is None, 10, "the loss of the session")
        site.renew()
        router.start()
        links.wait(link)
        assert link.session_id != first
        assert "expires on" not in router.output


def children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


@pytest.fixture
def own_router(tmp_path: Path) -> Iterator[SecureRouter]:
    with SecureRouter(Site(tmp_path), RUNTIME_DIR=str(tmp_path / "run")) as router:
        yield router


@pytest.mark.parametrize(("part", "victim"), [("sisock.hub", "hub"), ("crossbar", "crossbar")])
def test_two_programs_one_fate(own_router: SecureRouter, part: str, victim: str) -> None:
    config = own_router.site.directory / "run" / "config.json"
    assert config.stat().st_mode & 0o777 == 0o600
    (pid,) = [pid for pid in children(own_router.pid) if part in command(pid)]
    os.kill(pid, signal.SIGKILL)
    assert own_router.wait(15) == 1
    own_router.wait_for_line(f"{victim} ended (signal 9)")
    wait_for(own_router.free, 10, "the end of the router")


def test_a_kill_leaves_nothing_behind(own_router: SecureRouter) -> None:
    pids = children(own_router.pid)
    assert len(pids) == 2
    own_router.kill()
    wait_for(own_router.free, 10, "the end of the router")
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 10, "the children")


@pytest.mark.parametrize("stuck", [False, True])
def test_it_ends_when_asked(own_router: SecureRouter, stuck: bool) -> None:
    if stuck:
        # Programs that do not listen any more are not waited for.
        for pid in children(own_router.pid):
            os.kill(pid, signal.SIGSTOP)
    own_router.process.send_signal(signal.SIGTERM)
    assert own_router.wait(10) == 0
    wait_for(own_router.free, 10, "the end of the router")
    assert "Traceback" not in own_router.output


def test_a_configuration_of_ones_own(router: SecureRouter, tmp_path: Path) -> None:
    from ocs.router import write_router_config  # noqa: PLC0415 - for this test's own configuration

    port = free_port()
    config = write_router_config(tmp_path / "own", port=port)
    env = {"CROSSBAR_CONFIG": str(config), "CROSSBAR_OCS_PORT": str(port)}
    with AgentProcess(["-m", "sisock.router_main"], env=env, cwd=tmp_path) as own:
        own.wait_for_line("hub is up", 60)
        assert own.stop() == 0


@pytest.mark.parametrize(
    ("env", "remove", "complaint"),
    [
        ({}, "server_cert.pem", "server_cert.pem missing in .crossbar: run ./setup-tls.sh"),
        ({}, "server_key.pem", "server_key.pem missing in .crossbar: run ./setup-tls.sh"),
        ({}, "secrets/consumer.secret", "consumer.secret: No such file"),
        ({"SISOCK_COMPAT_SECRETS": "yes"}, "", "SISOCK_COMPAT_SECRETS=yes: must be 1 (on) or 0"),
        ({"CROSSBAR_TLS_PORT": "x"}, "", "CROSSBAR_TLS_PORT=x: must be a port"),
        ({"CROSSBAR_CONFIG": "none.json"}, "", "CROSSBAR_CONFIG=none.json: there is no such file"),
        ({"RUNTIME_DIR": "/proc/nowhere"}, "", "RUNTIME_DIR=/proc/nowhere"),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, env: dict[str, str], remove: str, complaint: str
) -> None:
    site = Site(tmp_path)
    if remove:
        (site.crossbar / remove).unlink()
    with AgentProcess(["-m", "sisock.router_main"], env=env, cwd=tmp_path) as program:
        assert program.wait() == 2
        assert complaint in program.output
        assert len(program.lines) == 1
