"""Settings of the 372's outputs: sample heater, warm-up heater, analog output (still).

Source of the numbers: the project's Lake Shore specification, sections 1.3 and 1.4 (the maker's
manual, revisions 1.4 to 1.7).
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

import attrs

from agents.lakeshore372.input_tables import Channel

__all__ = [
    "ALLOWED_MODES",
    "MODE_NAMES",
    "OUTPUT_NAMES",
    "SAMPLE_HEATER_RANGE_A",
    "SAMPLE_HEATER_RESISTANCE_OHM",
    "STILL_FULL_SCALE_V",
    "WARM_UP_RESISTANCE_OHM",
    "Display",
    "HeaterFault",
    "HeaterSetup",
    "MaximumCurrent",
    "Output",
    "OutputMode",
    "OutputModeSetup",
    "PidTerms",
    "Polarity",
    "Ramp",
    "WarmUp",
    "WarmUpControl",
    "Zone",
    "full_power_w",
    "mode_name",
    "range_text",
]


class Output(IntEnum):
    """The three outputs."""

    SAMPLE = 0
    WARM_UP = 1
    STILL = 2


class OutputMode(IntEnum):
    """What drives an output."""

    OFF = 0
    MONITOR_OUT = 1
    OPEN_LOOP = 2
    ZONE = 3
    STILL = 4
    CLOSED_LOOP = 5
    WARM_UP = 6


class Polarity(IntEnum):
    """Sign of an output's current or voltage."""

    UNIPOLAR = 0
    BIPOLAR = 1


class Display(IntEnum):
    """What the sample heater's output is counted in: percent of current, or watts."""

    CURRENT = 1
    POWER = 2


class MaximumCurrent(IntEnum):
    """Which limit holds for the warm-up heater's current."""

    USER = 0
    A_0_45 = 1
    A_0_63 = 2


class HeaterFault(IntEnum):
    """Answer to ``HTRST?``."""

    NONE = 0
    OPEN = 1
    SHORT = 2


class WarmUpControl(IntEnum):
    """What the warm-up heater does when the setpoint is reached."""

    AUTO_OFF = 0
    CONTINUOUS = 1


OUTPUT_NAMES: Mapping[Output, str] = MappingProxyType(
    {
        Output.SAMPLE: "sample heater",
        Output.WARM_UP: "warm-up heater",
        Output.STILL: "still heater",
    }
)
"""What people call the outputs."""

MODE_NAMES: Mapping[str, OutputMode] = MappingProxyType(
    {
        "Off": OutputMode.OFF,
        "Monitor Out": OutputMode.MONITOR_OUT,
        "Open Loop": OutputMode.OPEN_LOOP,
        "Zone": OutputMode.ZONE,
        "Still": OutputMode.STILL,
        "Closed Loop": OutputMode.CLOSED_LOOP,
        "Warm up": OutputMode.WARM_UP,
    }
)
"""Names of the modes in the operations' parameters."""

ALLOWED_MODES: Mapping[Output, tuple[OutputMode, ...]] = MappingProxyType(
    {
        Output.SAMPLE: (
            OutputMode.OFF,
            OutputMode.OPEN_LOOP,
            OutputMode.ZONE,
            OutputMode.CLOSED_LOOP,
        ),
        Output.WARM_UP: (
            OutputMode.OFF,
            OutputMode.OPEN_LOOP,
            OutputMode.ZONE,
            OutputMode.CLOSED_LOOP,
            OutputMode.WARM_UP,
        ),
        Output.STILL: (
            OutputMode.OFF,
            OutputMode.MONITOR_OUT,
            OutputMode.OPEN_LOOP,
            OutputMode.STILL,
        ),
    }
)
"""Modes each output can have."""

SAMPLE_HEATER_RANGE_A: Mapping[int, float] = MappingProxyType(
    {
        1: 31.6e-6,
        2: 100e-6,
        3: 316e-6,
        4: 1.00e-3,
        5: 3.16e-3,
        6: 10.0e-3,
        7: 31.6e-3,
        8: 100e-3,
    }
)
"""Range of the sample heater to its full current in amperes; range 0 is off."""

SAMPLE_HEATER_RESISTANCE_OHM = (1.0, 2000.0)
"""Least and greatest resistance that the unit takes for the sample heater."""

WARM_UP_RESISTANCE_OHM: Mapping[int, float] = MappingProxyType({1: 25.0, 2: 50.0})
"""Number of the warm-up heater's resistance to ohms."""

STILL_FULL_SCALE_V = 10.0
"""What the analog output gives at 100 %."""


@attrs.frozen
class OutputModeSetup:
    """Answer to ``OUTMODE?``: what drives an output.

    Attributes:
        mode: see `OutputMode`.
        channel: input of the control loop: ``"A"``, 1 to 16, or None.
        powerup: whether the output stays as it is over a power cycle.
        polarity: see `Polarity`.
        filtered: whether the control input is filtered.
        delay_s: seconds before an autoscanned control channel's readings are used; 1 to 255.
    """

    mode: OutputMode
    channel: Channel | None
    powerup: bool
    polarity: Polarity
    filtered: bool
    delay_s: int


@attrs.frozen
class HeaterSetup:
    """Answer to ``HTRSET?``: what hangs on a heater output.

    Attributes:
        resistance_ohm: of the heater; the warm-up heater's is 25 or 50.
        maximum_current: number of the current limit; see `MaximumCurrent` for the warm-up heater.
            The sample heater has none, and answers with any number.
        user_current_a: the warm-up heater's own limit in amperes.
        display: what the output is counted in.
    """

    resistance_ohm: float
    maximum_current: int
    user_current_a: float
    display: Display


@attrs.frozen
class PidTerms:
    """Proportional (0 to 1000), integral (0 to 10000) and derivative (0 to 2500) terms."""

    proportional: float
    integral: float
    derivative: float


@attrs.frozen
class Ramp:
    """Answer to ``RAMP?``: how a setpoint gets to a new value.

    Attributes:
        on: whether it ramps.
        rate_k_per_min: 0.001 to 100; 0 is a step.
    """

    on: bool
    rate_k_per_min: float


@attrs.frozen
class WarmUp:
    """Answer to ``WARMUP?``: what the warm-up mode does, at which percentage of its current."""

    control: WarmUpControl
    percent: float


@attrs.frozen
class Zone:
    """Answer to ``ZONE?``: settings for temperatures up to a bound.

    Attributes:
        upper_k: bound in kelvin.
        pid: terms of the loop.
        manual_percent: manual output.
        heater_range: range of the output; 0 is off.
        ramp_k_per_min: rate of the setpoint.
        relay_1: state of relay 1.
        relay_2: state of relay 2.
    """

    upper_k: float
    pid: PidTerms
    manual_percent: float
    heater_range: int
    ramp_k_per_min: float
    relay_1: int
    relay_2: int


def full_power_w(heater_range: int, resistance_ohm: float) -> float:
    """Return the sample heater's power in watts at full current of a range.

    Args:
        heater_range: 1 to 8; 0, off, has none.
        resistance_ohm: resistance of the heater.
    """
    return SAMPLE_HEATER_RANGE_A[heater_range] ** 2 * resistance_ohm if heater_range else 0.0


def mode_name(mode: OutputMode) -> str:
    """Return the name of a mode as the operations' parameters have it."""
    return next(name for name, value in MODE_NAMES.items() if value is mode)


def range_text(output: Output, step: int) -> str:
    """Name a range: ``off``, ``on``, or the sample heater's current."""
    if not step:
        return "off"
    return f"{SAMPLE_HEATER_RANGE_A[step]:g} A" if output == Output.SAMPLE else "on"
