"""A simulated instrument's TCP port: for as many clients at once as the real one has room for."""

from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from agents.lakeshore.sim.conversation import Conversation, Unit
from ocs.errors import OcsError

__all__ = ["CannotListen", "InstrumentFactory", "TcpServer"]


class CannotListen(OcsError):
    """The simulator does not get the place where its clients are to find it."""


class InstrumentFactory(Factory):
    """Gives each client its connection.

    Args:
        unit: who answers.
        max_clients: how many the instrument has room for.
    """

    noisy = False

    def __init__(self, unit: Unit, max_clients: int) -> None:
        self.clients: set[_Client] = set()
        self._unit = unit
        self._max_clients = max_clients

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:  # noqa: N802, ARG002
        """Give a client its connection; None, which closes it, if there is no more room."""
        if len(self.clients) >= self._max_clients:
            return None
        return _Client(self._unit, self.clients)


class _Client(Protocol):
    """One client's TCP connection."""

    def __init__(self, unit: Unit, clients: "set[_Client]") -> None:
        self._clients = clients
        self.conversation = Conversation(unit, self)

    @property
    def _transport(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        self._transport.setTcpNoDelay(True)
        # A client that does not read its answers is not read either, as with the real one.
        self._transport.registerProducer(self._transport, True)
        self._clients.add(self)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        self.conversation.receive(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override] # noqa: N802, ARG002
        self._clients.discard(self)
        self.conversation.finish()

    def send(self, data: bytes) -> None:
        self._transport.write(data)

    def hang_up(self) -> None:
        self._transport.abortConnection()


class TcpServer:
    """The listening port.

    Args:
        reactor: Twisted's.
        unit: who answers.
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        max_clients: how many the instrument has room for.
        hint: what to do if the address is not to be had.
    """

    log = Logger(namespace="simulator")

    def __init__(
        self, reactor: Any, unit: Unit, host: str, port: int, *, max_clients: int, hint: str
    ) -> None:
        self._reactor = reactor
        self._unit = unit
        self._host = host
        self._port = port
        self._hint = hint
        self._factory = InstrumentFactory(unit, max_clients)
        self._listening: Any = None

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"{self._host}:{self._port}"

    def open(self) -> None:
        """Begin to listen.

        Raises:
            CannotListen: the address is not to be had.
        """
        try:
            self._listening = self._reactor.listenTCP(
                self._port, self._factory, interface=self._host
            )
        except CannotListenError as error:
            raise CannotListen(
                f"cannot listen on {self.address}: {error.socketError.strerror}. {self._hint}"
            ) from None
        # With port 0 the system has chosen; after a refusal it must be the same one again.
        self._port = self._listening.getHost().port

    async def close(self) -> None:
        """Listen no more and close all connections."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await listening.stopListening()
        self.disconnect()

    def disconnect(self) -> None:
        """Close every connection."""
        for client in tuple(self._factory.clients):
            client.conversation.finish()
            client.hang_up()
        self._unit.plug_in()

    def deaden(self) -> None:
        """Leave every connection open, but take and give nothing there any more."""
        for client in self._factory.clients:
            client.conversation.deaden()

    def refuse(self, *, refused: bool) -> None:
        """Close the listening port, or open it again."""
        if refused and self._listening is not None:
            listening, self._listening = self._listening, None
            listening.stopListening()
        elif not refused and self._listening is None:
            self._open_again()

    def _open_again(self) -> None:
        try:
            self.open()
        except CannotListen as error:
            self.log.error("the simulator stays unreachable: {why}", why=error)
