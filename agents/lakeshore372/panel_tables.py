"""Settings of the 372's panel, alarms, relays and interfaces.

The numbers are those of the maker's own driver (1.10.0), which the project's Lake Shore
specification names as a source, [V].
"""

from enum import IntEnum, IntFlag

import attrs

from agents.lakeshore372.input_tables import Channel, Units

__all__ = [
    "AlarmSettings",
    "AlarmState",
    "AnalogSettings",
    "Display",
    "DisplayField",
    "DisplayFieldUnits",
    "DisplayInfo",
    "DisplayMode",
    "Interface",
    "InterfaceMode",
    "KeypadLock",
    "Lines",
    "MonitorSource",
    "RelayMode",
    "RelaySettings",
]


class DisplayMode(IntEnum):
    """What the display shows."""

    MEASUREMENT_INPUT = 0
    CONTROL_INPUT = 1
    CUSTOM = 2


class DisplayInfo(IntEnum):
    """What the corner of the custom display shows."""

    NONE = 0
    SAMPLE_HEATER = 1
    WARM_UP_HEATER = 2
    ACTIVE_CHANNEL = 3


class DisplayFieldUnits(IntEnum):
    """What a field of the custom display shows of its channel."""

    KELVIN = 1
    OHMS = 2
    QUADRATURE = 3
    LOWEST = 4
    HIGHEST = 5
    NAME = 6


class Interface(IntEnum):
    """The remote interface in use; the others do not answer."""

    USB = 0
    ETHERNET = 1
    GPIB = 2


class InterfaceMode(IntEnum):
    """Who may operate the unit."""

    LOCAL = 0
    REMOTE = 1
    REMOTE_WITH_LOCKOUT = 2


class MonitorSource(IntEnum):
    """The signal on the monitor socket."""

    OFF = 0
    CURRENT_NEGATIVE = 1
    CURRENT_POSITIVE = 2
    COMMON_MODE_NEGATIVE = 3
    COMMON_MODE_POSITIVE = 4
    DIFFERENCE = 5
    CONVERTER_MEASUREMENT = 6
    CONVERTER_CONTROL = 7


class RelayMode(IntEnum):
    """What moves a relay."""

    OFF = 0
    ON = 1
    ALARMS = 2
    SAMPLE_HEATER_ZONE = 3
    WARM_UP_HEATER_ZONE = 4


class Lines(IntFlag):
    """The lines of the digital output."""

    D1 = 1
    D2 = 2
    D3 = 4
    D4 = 8
    D5 = 16


@attrs.frozen
class AlarmSettings:
    """Answer to ``ALARM?``: when a channel sounds an alarm; values in units of `source`."""

    on: bool
    source: Units
    high: float
    low: float
    deadband: float
    latching: bool
    audible: bool
    visible: bool


@attrs.frozen
class AlarmState:
    """Answer to ``ALARMST?``: which alarms of a channel are active."""

    high: bool
    low: bool


@attrs.frozen
class AnalogSettings:
    """Answer to ``ANALOG?``: the still output as a monitor or analog output.

    Attributes:
        bipolar: whether it goes below 0 V.
        mode: what drives it, numbered as the modes of ``OUTMODE``.
        channel: input that it follows; None for none.
        source: quantity that it follows.
        high: value at +100 %, in units of the source.
        low: value at 0 %, or at -100 % if bipolar.
        manual_percent: output in the modes without an input.
    """

    bipolar: bool
    mode: int
    channel: Channel | None
    source: Units
    high: float
    low: float
    manual_percent: float


@attrs.frozen
class Display:
    """Answer to ``DISPLAY?``; `fields` is the number of fields as the unit counts it."""

    mode: DisplayMode
    fields: int
    info: DisplayInfo


@attrs.frozen
class DisplayField:
    """Answer to ``DISPFLD?``: channel of a field (None for none) and what it shows."""

    channel: Channel | None
    units: DisplayFieldUnits


@attrs.frozen
class KeypadLock:
    """Answer to ``LOCK?``: whether the keys are locked, and the code, 0 to 999."""

    locked: bool
    code: int


@attrs.frozen
class RelaySettings:
    """Answer to ``RELAY?``: what moves a relay.

    Attributes:
        mode: see `RelayMode`.
        channel: input whose alarm moves it in alarm mode; None for none.
        alarm: 0 its low alarm, 1 its high one, 2 both.
    """

    mode: RelayMode
    channel: Channel | None
    alarm: int
