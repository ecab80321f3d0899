"""A Lake Shore 372 at a TCP address."""

from agents.lakeshore.link import InstrumentLink, Manners, WrongInstrument
from agents.lakeshore.messages import Identity
from agents.lakeshore.transports import TcpConnector

__all__ = ["DEFAULT_PORT", "Ls372Driver"]

DEFAULT_PORT = 7777
"""The TCP port of every 372; it cannot be changed on the unit."""

_REMEDY = (
    "Check that the unit is on, its network cable plugged in, the address right, its "
    "interface set to Ethernet, and that no two other programs are connected to it."
)

_COMMAND_PAUSE_S = 0.05
"""Silence the unit wants after a command (manual; specification 1.1)."""

_EMULATOR_SILENCE_S = 0.01
"""Upstream's emulator sends an answer in one piece and nothing after it (specification 9)."""


class Ls372Driver(InstrumentLink):
    """A 372 at a TCP address. Connects by itself when asked something.

    Args:
        host: name or address of the unit.
        port: its TCP port.
        expected_serial: refuse any other unit; None takes whichever answers.
        connect_timeout_s: how long a connection may take to come up.
        reply_timeout_s: how long a whole answer may take.
        emulator: it is upstream's emulator, whose answers have no line end.
    """

    def __init__(
        self,
        host: str,
        port: int = DEFAULT_PORT,
        *,
        expected_serial: str | None = None,
        connect_timeout_s: float = 3.0,
        reply_timeout_s: float = 2.0,
        emulator: bool = False,
    ) -> None:
        super().__init__(
            TcpConnector(host, port, timeout_s=connect_timeout_s),
            Manners(
                name="Lake Shore 372",
                remedy=_REMEDY,
                reply_timeout_s=reply_timeout_s,
                command_pause_s=_COMMAND_PAUSE_S,
                end_of_answer_s=_EMULATOR_SILENCE_S if emulator else None,
            ),
            check_identity=self._check,
        )
        self._expected_serial = expected_serial

    def _check(self, identity: Identity) -> None:
        if identity.model != "MODEL372":
            raise WrongInstrument(
                f"A {identity.maker} {identity.model} answers at {self.address}, not a Lake Shore "
                "372. Correct --ip-address."
            )
        # A unit with an option card writes serial/option.
        if self._expected_serial not in {None, identity.serial, identity.serial.split("/")[0]}:
            raise WrongInstrument(
                f"The 372 at {self.address} has serial number {identity.serial}, not "
                f"{self._expected_serial}. Correct --ip-address or --serial-number."
            )
