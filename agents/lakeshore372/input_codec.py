"""What the 372 says of the settings of its inputs: queries and commands out, replies in. No I/O.

To change one field of a set, ask for the set, `attrs.evolve` it, send it whole and ask again.

Facts from the project's Lake Shore specification, sections 1.3 and 1.4.
"""

from agents.lakeshore.messages import Command, Query, decimal, fields, integer, member, printable
from agents.lakeshore372.codec import any_channel
from agents.lakeshore372.input_tables import (
    FREQUENCY_HZ,
    RESISTANCE_RANGE_OHM,
    Autorange,
    Channel,
    FilterSettings,
    InputMode,
    InputSettings,
    InputSetup,
    TemperatureCoefficient,
    Units,
    combination_exists,
    excitation_steps,
)

__all__ = [
    "common_mode_reduction",
    "excitation_frequency",
    "input_curve",
    "input_filter",
    "input_name",
    "input_settings",
    "input_setup",
    "set_common_mode_reduction",
    "set_excitation_frequency",
    "set_input_curve",
    "set_input_filter",
    "set_input_name",
    "set_input_settings",
    "set_input_setup",
    "set_temperature_limit",
    "temperature_limit",
]

_NAME_LENGTH = 15
_LAST_CURVE = 59


def input_settings(channel: Channel) -> Query[InputSettings]:
    """``INSET?``: enabled, dwell, pause, curve, temperature coefficient."""
    return Query(f"INSET? {any_channel(channel)}", _parse_settings)


def set_input_settings(channel: Channel, settings: InputSettings) -> Command:
    """``INSET``: all that `input_settings` says.

    Raises:
        ValueError: dwell, pause or curve are none the unit knows; the words name those it does.
    """
    if channel != "A":
        _within(settings.dwell_s, 1, 200, "dwell", " s")
        _within(settings.pause_s, 3, 200, "change pause", " s")
    _within(settings.curve, 0, _LAST_CURVE, "curve")
    return Command(
        f"INSET {any_channel(channel)},{settings.enabled:d},{settings.dwell_s:03d},"
        f"{settings.pause_s:03d},{settings.curve:02d},{settings.coefficient:d}"
    )


def input_setup(channel: Channel) -> Query[InputSetup]:
    """``INTYPE?``: mode, excitation, autorange, range, shunt, units."""

    def parse(text: str) -> InputSetup:
        return _parse_setup(text, channel)

    return Query(f"INTYPE? {any_channel(channel)}", parse)


def set_input_setup(channel: Channel, setup: InputSetup) -> Command:
    """``INTYPE``: all that `input_setup` says.

    Raises:
        ValueError: the unit cannot work so (`combination_exists`); it would not say so itself.
    """
    steps = excitation_steps(setup.mode, channel)
    _within(setup.excitation, 1, len(steps), "excitation step")
    if channel != "A" and not combination_exists(
        setup.mode, setup.excitation, setup.resistance_range
    ):
        raise ValueError(
            f"Range step {setup.resistance_range} does not go with excitation step "
            f"{setup.excitation} of {setup.mode.name.lower()} mode."
        )
    return Command(
        f"INTYPE {any_channel(channel)},{setup.mode:d},{setup.excitation:02d},"
        f"{setup.autorange:d},{setup.resistance_range:02d},{not setup.excitation_on:d},"
        f"{setup.units:d}"
    )


def input_name(channel: Channel) -> Query[str]:
    """``INNAME?``: the name given to a channel. Not to be combined: it may hold a semicolon."""
    return Query(
        f"INNAME? {any_channel(channel)}", lambda text: printable(text, _NAME_LENGTH, "the name")
    )


def set_input_name(channel: Channel, name: str) -> Command:
    """``INNAME``: give a channel a name.

    Raises:
        ValueError: it is longer than 15 characters, or has some that the unit or its clients
            stumble over: control characters, quotes, commas, semicolons.
    """
    if len(name) > _NAME_LENGTH or not name.isascii() or not name.isprintable():
        raise ValueError(f"The name {name!r} is not up to {_NAME_LENGTH} ASCII characters.")
    if set(name) & set("\",;'"):
        raise ValueError(f"The name {name!r} must not have quotes, commas or semicolons.")
    return Command(f'INNAME {any_channel(channel)},"{name}"')


def input_curve(channel: Channel) -> Query[int]:
    """``INCRV?``: number of a channel's curve, 0 for none."""
    return Query(
        f"INCRV? {any_channel(channel)}", lambda text: integer(text, 0, _LAST_CURVE, "the curve")
    )


def set_input_curve(channel: Channel, curve: int) -> Command:
    """``INCRV``: assign a curve, 1 to 59, or none, 0. The unit takes none that is empty.

    Raises:
        ValueError: no such curve.
    """
    return Command(f"INCRV {any_channel(channel)},{_within(curve, 0, _LAST_CURVE, 'curve'):02d}")


def temperature_limit(channel: Channel) -> Query[float]:
    """``TLIMIT?``: kelvin above which all control outputs are shut; 0 is no limit."""
    return Query(f"TLIMIT? {any_channel(channel)}", lambda text: decimal(text, "the limit", 0))


def set_temperature_limit(channel: Channel, limit_k: float) -> Command:
    """``TLIMIT``: shut all control outputs above so many kelvin; 0 never does.

    Raises:
        ValueError: it is negative, above 9999 K or no number.
    """
    if not 0 <= limit_k <= 9999:
        raise ValueError(f"The temperature limit {limit_k!r} K is not from 0 to 9999 K.")
    return Command(f"TLIMIT {any_channel(channel)},{limit_k:g}")


def input_filter(channel: Channel) -> Query[FilterSettings]:
    """``FILTER?``: how a channel's readings are averaged."""
    return Query(f"FILTER? {any_channel(channel)}", _parse_filter)


def set_input_filter(channel: Channel, settings: FilterSettings) -> Command:
    """``FILTER``: all that `input_filter` says.

    Raises:
        ValueError: settle time or window are none the unit knows.
    """
    _within(settings.settle_s, 1, 200, "settle time", " s")
    _within(settings.window_percent, 1, 80, "window", " %")
    return Command(
        f"FILTER {any_channel(channel)},{settings.on:d},{settings.settle_s:03d},"
        f"{settings.window_percent:02d}"
    )


def excitation_frequency(*, control: bool) -> Query[int]:
    """``FREQ?``: number in `FREQUENCY_HZ`, of the control or the measurement input."""
    return Query(
        f"FREQ? {_frequency_input(control)}",
        lambda text: integer(text, 1, len(FREQUENCY_HZ), "the frequency"),
    )


def set_excitation_frequency(number: int, *, control: bool) -> Command:
    """``FREQ``: excite at a frequency of `FREQUENCY_HZ`. The unit takes seconds for it.

    Raises:
        ValueError: no such frequency.
    """
    _within(number, 1, len(FREQUENCY_HZ), "frequency")
    return Command(f"FREQ {_frequency_input(control)},{number}")


def common_mode_reduction() -> Query[bool]:
    """``CMR?``: whether the common mode is reduced."""
    return Query("CMR?", lambda text: bool(integer(text, 0, 1, "the reduction")))


def set_common_mode_reduction(*, on: bool) -> Command:
    """``CMR``: reduce the common mode, or not."""
    return Command(f"CMR {on:d}")


def _within(value: int, low: int, high: int, what: str, unit: str = "") -> int:
    if not low <= value <= high:
        raise ValueError(f"The {what} {value}{unit} is not from {low} to {high}{unit}.")
    return value


def _frequency_input(control: bool) -> str:
    return "A" if control else "0"


def _parse_settings(text: str) -> InputSettings:
    enabled, dwell, pause, curve, coefficient = fields(
        text, ("enabled", "dwell", "pause", "curve", "temperature coefficient")
    )
    return InputSettings(
        enabled=bool(integer(enabled, 0, 1, "enabled")),
        dwell_s=integer(dwell, 0, 200, "the dwell"),
        pause_s=integer(pause, 0, 200, "the pause"),
        curve=integer(curve, 0, _LAST_CURVE, "the curve"),
        coefficient=member(TemperatureCoefficient, coefficient, "the temperature coefficient"),
    )


def _parse_setup(text: str, channel: Channel) -> InputSetup:
    mode_text, excitation, autorange, resistance_range, shunt, units = fields(
        text, ("mode", "excitation", "autorange", "range", "shunt", "units")
    )
    mode = member(InputMode, mode_text, "the mode")
    # The control input has no range of its own; the unit answers with any step there.
    lowest_range = 0 if channel == "A" else 1
    return InputSetup(
        mode=mode,
        excitation=integer(excitation, 1, len(excitation_steps(mode, channel)), "the excitation"),
        autorange=member(Autorange, autorange, "autorange"),
        resistance_range=integer(
            resistance_range, lowest_range, len(RESISTANCE_RANGE_OHM), "the range"
        ),
        excitation_on=not integer(shunt, 0, 1, "the shunt"),
        units=member(Units, units, "the units"),
    )


def _parse_filter(text: str) -> FilterSettings:
    on, settle, window = fields(text, ("on", "settle time", "window"))
    return FilterSettings(
        on=bool(integer(on, 0, 1, "on")),
        settle_s=integer(settle, 0, 200, "the settle time"),
        window_percent=integer(window, 0, 100, "the window"),
    )
