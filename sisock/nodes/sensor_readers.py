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
    "Reading",
    "SensorsFailed",
    "choose_reading",
    "parse_sensors",
    "read_cpu_load",
    "read_temperatures",
    "sensors_command",
]

SENSORS = "sensors"
COMMAND_TIMEOUT_S = 2.0
_FIRST_LOAD_S = 0.2

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


def read_cpu_load() -> dict[str, float]:
    """Return how busy the processors were since the last call, in percent, as ``cpu_load``."""
    return {"cpu_load": float(psutil.cpu_percent())}


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
    psutil.cpu_percent(interval=_FIRST_LOAD_S)  # the load is counted from one call to the next
    return Reading("the CPU load", "%", read_cpu_load), passed_over
