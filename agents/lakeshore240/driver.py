"""A Lake Shore 240 module at a serial port, wherever it is plugged in."""

import errno
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs
import serial
from serial.tools import list_ports

from agents.lakeshore.curves import CurveFormat, CurveLocations
from agents.lakeshore.link import InstrumentLink, Manners, WrongInstrument
from agents.lakeshore.messages import Identity
from agents.lakeshore.transports import Connector, SerialConnector, Stream, TcpConnector

__all__ = [
    "LS240_CURVES",
    "Ls240Driver",
    "Model",
    "SerialNumberConnector",
    "connector_for",
    "manners_for",
]

BAUD = 115200

LS240_CURVES = CurveLocations(
    locations=range(1, 9),
    word="channel",
    formats=(CurveFormat.VOLTS, CurveFormat.OHMS, CurveFormat.LOG_OHMS),
    quoted=False,
    pause_s=0.0,
)
"""Each channel of a 240 has a curve of its own."""

_MANNERS = Manners(
    name="Lake Shore 240",
    remedy=(
        "Check that its USB cable is plugged in, that the serial number or the port is right, "
        "that you may read and write the port, and that no other program uses it."
    ),
    reply_timeout_s=2.0,
    # The unit wants 10 ms between messages (specification 3.1). A command may arrive later than it
    # was sent, and what follows it must not come too soon all the same.
    command_pause_s=0.03,
    query_pause_s=0.01,
    # The first question after plugging in often gets no answer.
    first_tries=3,
)

_EMULATOR_MANNERS = attrs.evolve(
    _MANNERS,
    remedy="Check that the simulator runs, and that the host and the port are right.",
    # It takes what arrives together for one message (specification 9).
    command_pause_s=0.1,
    end_of_answer_s=0.02,
)


@attrs.frozen
class Model:
    """What the name of a module's model says about it.

    Attributes:
        channels: numbers of its inputs.
        complete: whether it knows all that a 240 does; upstream's emulators know neither
            ``RDGST?`` nor ``FILTER?``.
    """

    channels: range
    complete: bool = True


_NOT_KNOWN_YET = Model(range(1, 1))


class SerialNumberConnector:
    """Finds a module by its serial number each time it is opened.

    It looks for the link ``/dev/<serial number>`` that a udev rule makes, then for a USB port whose
    serial number it is, then for one whose name in ``/dev/serial/by-id`` holds it.

    Args:
        serial_number: of the module.
        devices: where device files are.
        usb_ports: lists the serial ports of this machine, as pyserial does.
    """

    def __init__(
        self,
        serial_number: str,
        *,
        devices: Path = Path("/dev"),
        usb_ports: Callable[[], Iterable[Any]] = list_ports.comports,
    ) -> None:
        self.address = f"serial number {serial_number}"
        self._serial_number = serial_number
        self._devices = devices
        self._usb_ports = usb_ports

    def open(self, cancel: threading.Event | None) -> Stream:
        """Open the port the module is plugged into now."""
        path = self.find()
        if path is None:
            raise FileNotFoundError(
                errno.ENODEV, f"no serial port of {self._serial_number} is plugged in"
            )
        return SerialConnector(path, baud=BAUD).open(cancel)

    def find(self) -> str | None:
        """Return the port's path; None if it is not plugged in."""
        link = self._devices / self._serial_number
        if link.exists():
            return str(link)
        for port in self._usb_ports():
            if port.serial_number == self._serial_number:
                return str(port.device)
        for path in sorted(self._devices.glob("serial/by-id/*")):
            if self._serial_number in path.name:
                return str(path)
        return None


def connector_for(port: str | None, serial_number: str | None) -> Connector:
    """Return what opens a module.

    Args:
        port: path of a serial port, a URL that pyserial knows (``socket://HOST:PORT``), or
            ``tcp://HOST:PORT``; it wins over the serial number.
        serial_number: of the module, to find the port by.

    Raises:
        ValueError: both are missing, or the URL is none that is known.
    """
    if port is None:
        if serial_number is None:
            raise ValueError("Give the serial number of the module, or its port.")
        return SerialNumberConnector(serial_number)
    if port.startswith("tcp://"):
        host, _, number = port.removeprefix("tcp://").rpartition(":")
        if not host or not number.isdecimal() or not 0 < int(number) < 65536:
            raise ValueError(f"{port!r} is not tcp://HOST:PORT.")
        return TcpConnector(host.strip("[]"), int(number))
    try:
        serial.serial_for_url(port, do_not_open=True)
    except ValueError:
        raise ValueError(
            f"{port!r} is neither the path of a serial port, socket://HOST:PORT nor "
            "tcp://HOST:PORT."
        ) from None
    return SerialConnector(port, baud=BAUD)


def manners_for(port: str | None) -> Manners:
    """Return how to speak to what is at a port, given as to `connector_for`.

    ``tcp://`` has always meant a simulator; upstream's end their answers by silence.
    """
    return _EMULATOR_MANNERS if port is not None and port.startswith("tcp://") else _MANNERS


class Ls240Driver(InstrumentLink):
    """A 240 module. Connects by itself when asked something.

    Args:
        connector: opens connections to it; see `connector_for`.
        expected_serial: refuse any other module; None takes whichever answers.
        manners: how to speak to it.
    """

    def __init__(
        self,
        connector: Connector,
        *,
        expected_serial: str | None = None,
        manners: Manners = _MANNERS,
    ) -> None:
        super().__init__(connector, manners, check_identity=self._check)
        self.expected_serial = expected_serial
        self._model = _NOT_KNOWN_YET

    @property
    def model(self) -> Model:
        """Which kind of module it is; one without inputs before the first answer."""
        return self._model

    def _check(self, identity: Identity) -> None:
        model = _model(identity.model)
        if model is None:
            raise WrongInstrument(
                f"A {identity.maker} {identity.model} answers at {self.address}, not a Lake Shore "
                "240. Correct --port or --serial-number."
            )
        if self.expected_serial not in {None, identity.serial}:
            raise WrongInstrument(
                f"The 240 at {self.address} has serial number {identity.serial}, not "
                f"{self.expected_serial}. Correct --port or --serial-number."
            )
        self._model = model


def _model(name: str) -> Model | None:
    """Return the model of a name; None if it is no 240."""
    # Upstream's tests call theirs a plain MODEL240, its simulator LSSIM_8P.
    if name == "MODEL240":
        return Model(range(1, 5), complete=False)
    found = re.fullmatch(r"(MODEL240-|LSSIM_)([1-8])P", name, re.ASCII)
    if found is None:
        return None
    return Model(range(1, int(found[2]) + 1), complete=found[1] == "MODEL240-")
