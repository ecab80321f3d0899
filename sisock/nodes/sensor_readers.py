"""Ways to read the sensors of this computer: lm-sensors, the kernel through psutil, CPU load.

All of them block and belong in a thread.
"""

import math
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

import attrs
import psutil

from sisock.errors import SisockError

__all__ = [
    "CpuLoad",
    "Reading",
    "SensorsFailed",
    "choose_reading",
    "parse_sensors",
    "read_temperatures",
    "sensors_command",
]

SENSORS = "sensors"
COMMAND_TIMEOUT_S = 2.0

_INPUT = re.compile(r"\s+(?P<feature>\S+)_input:\s*(?P<value>\S+)\s*")


class SensorsFailed(SisockError):
    """Sensors gave nothing; the message says why (see also what ``sensors -u`` says by hand)."""


@attrs.frozen
class Reading:
    """One way to read sensors.

    Attributes:
        what: For the log.
        units: Unit symbol of all its values.
        read: Gives values by field; may raise `SensorsFailed`.
    """

    what: str
    units: str
    read: Callable[[], Mapping[str, float]]


def parse_sensors(text: str) -> dict[str, float]:
    """Read what ``sensors -u`` prints: values of the ``*_input`` lines by ``CHIP_FEATURE``.

    Args:
        text: Chips apart by blank lines; the first line of each is its heading.
    """
    values: dict[str, float] = {}
    chip = ""
    for line in text.splitlines():
        if not line.strip():
            chip = ""
        elif not chip:
            chip = line.strip()
        elif (found := _INPUT.fullmatch(line)) is not None:
            try:
                value = float(found["value"])
            except ValueError:
                continue
            if math.isfinite(value):
                values[f"{chip}_{found['feature']}"] = value
    return values


def sensors_command(program: str) -> Callable[[], dict[str, float]]:
    """Return what reads ``sensors -u``.

    Args:
        program: Path of the command.
    """

    def read() -> dict[str, float]:
        try:
            # One chip that cannot be read makes the exit status 1; the others count all the same.
            done = subprocess.run(  # noqa: S603 - a fixed command, no shell
                [program, "-u"],
                capture_output=True,
                check=False,
                timeout=COMMAND_TIMEOUT_S,
                text=True,
                errors="replace",
                env={**os.environ, "LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired as error:
            raise SensorsFailed(f"{program} -u did not end within {COMMAND_TIMEOUT_S} s") from error
        except OSError as error:
            raise SensorsFailed(f"{program} -u cannot be run: {error.strerror}") from error
        values = parse_sensors(done.stdout)
        if not values:
            why = done.stderr.strip().splitlines()
            raise SensorsFailed(f"{program} -u gave no value ({why[0] if why else 'no error'})")
        return values

    return read


def read_temperatures() -> dict[str, float]:
    """Return the temperatures the kernel offers, in degrees Celsius, by ``CHIP_tempN``.

    Raises:
        SensorsFailed: the kernel does not let them be read.
    """
    try:
        chips = psutil.sensors_temperatures()
    except OSError as error:
        raise SensorsFailed(f"the kernel's sensors cannot be read: {error.strerror}") from error
    return {
        f"{chip}_temp{number}": float(sensor.current)
        for chip, sensors in chips.items()
        for number, sensor in enumerate(sensors, start=1)
        if sensor.current is not None and math.isfinite(sensor.current)
    }


class CpuLoad:
    """How busy the processors were from one reading to the next; first, since the computer started.

    psutil's own ``cpu_percent`` counts from the last call of the same thread, and readings come
    from whichever thread is free: in a new one it is zero.
    """

    def __init__(self) -> None:
        self._spent_s = 0.0
        self._idle_s = 0.0

    def read(self) -> dict[str, float]:
        """Return the load in percent, as ``cpu_load``.

        Raises:
            SensorsFailed: the processors' clocks have not moved since the last reading.
        """
        times = psutil.cpu_times()
        # What guests have used is counted as the host's, too.
        guests_s = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        spent_s = sum(times) - guests_s
        idle_s = times.idle + getattr(times, "iowait", 0.0)
        whole, idle = spent_s - self._spent_s, idle_s - self._idle_s
        if whole <= 0:
            raise SensorsFailed("the processors' clocks have not moved since the last reading")
        self._spent_s, self._idle_s = spent_s, idle_s
        # Of a wait for a disk, the kernel may take back a little.
        return {"cpu_load": round(100 * min(max(1 - idle / whole, 0.0), 1.0), 1)}


def choose_reading(
    find_program: Callable[[str], str | None] = shutil.which,
    temperatures: Callable[[], Mapping[str, float]] = read_temperatures,
) -> tuple[Reading, Sequence[str]]:
    """Return the first way that gives a value on this machine, and why others do not.

    Args:
        find_program: Gives the path of a command, or None.
        temperatures: Reads what the kernel offers.
    """
    passed_over: list[str] = []
    program = find_program(SENSORS)
    if program is None:
        passed_over.append("there is no command 'sensors' (lm-sensors)")
    else:
        command = sensors_command(program)
        try:
            command()
        except SensorsFailed as error:
            passed_over.append(str(error))
        else:
            return Reading("the command 'sensors -u'", "unknown", command), passed_over
    try:
        if temperatures():
            return Reading("the kernel's temperature sensors", "C", temperatures), passed_over
        passed_over.append("the kernel offers no temperatures")
    except SensorsFailed as error:
        passed_over.append(str(error))
    return Reading("the CPU load", "%", CpuLoad().read), passed_over
