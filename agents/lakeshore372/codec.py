"""What the 372 says of its scanner and its readings: queries and commands out, replies in. No I/O.

A `Query` is the text of a question together with the strict parser of its answer. The settings of
inputs are in `input_codec`, the registers in `status_codec`, panel and interface in `panel_codec`,
outputs and curves in modules of their own.

Facts from the project's Lake Shore specification, sections 1.1, 1.2 and 1.4.
"""

import re

import attrs

from agents.lakeshore.messages import BadReply, Command, Query, decimal, fields, integer, member
from agents.lakeshore372.input_tables import (
    MEASUREMENT_CHANNELS,
    Channel,
    ReadingStatus,
    Settling,
)

__all__ = [
    "READING_FORM",
    "Extremes",
    "InputsSettling",
    "ScanState",
    "any_channel",
    "excitation_power",
    "extremes",
    "kelvin",
    "kelvin_of_sensor",
    "measurement_channel",
    "ohms",
    "ohms_of_sensor",
    "quadrature",
    "reading_status",
    "reset_extremes",
    "scan_state",
    "set_scan",
    "settling",
]

READING_FORM = r"[+-](?:\d\.\d{5}|\d{2}\.\d{4}|\d{3}\.\d{3})E[+-]\d{2}"
"""How the unit writes a reading, as a regular expression."""

_READING = re.compile(READING_FORM, re.ASCII)


@attrs.frozen
class ScanState:
    """Answer to ``SCAN?``: the channel the scanner is on, and whether it moves by itself."""

    channel: int
    autoscan: bool


@attrs.frozen
class InputsSettling:
    """Answer to ``RDGSTL?``: how far the control input and the active channel have settled."""

    control: Settling
    measurement: Settling


@attrs.frozen
class Extremes:
    """Answer to ``MDAT?``: the lowest and highest reading since ``MNMXRST``, in its units."""

    lowest: float
    highest: float


def scan_state() -> Query[ScanState]:
    """``SCAN?``: active channel and autoscan."""
    return Query("SCAN?", _parse_scan)


def set_scan(channel: int, *, autoscan: bool) -> Command:
    """``SCAN``: go to a measurement channel, and scan on from there or stay.

    Raises:
        ValueError: no such channel.
    """
    return Command(f"SCAN {measurement_channel(channel)},{int(autoscan)}")


def kelvin(channel: Channel) -> Query[float]:
    """``KRDG?``: temperature in kelvin."""
    return Query(f"KRDG? {any_channel(channel)}", _parse_reading)


def kelvin_of_sensor(channel: Channel) -> Query[float]:
    """``RDGK?``: the same as `kelvin`, under its other name."""
    return Query(f"RDGK? {any_channel(channel)}", _parse_reading)


def ohms(channel: Channel) -> Query[float]:
    """``SRDG?``: resistance in ohms."""
    return Query(f"SRDG? {any_channel(channel)}", _parse_reading)


def ohms_of_sensor(channel: Channel) -> Query[float]:
    """``RDGR?``: the same as `ohms`, under its other name."""
    return Query(f"RDGR? {any_channel(channel)}", _parse_reading)


def quadrature(channel: int) -> Query[float]:
    """``QRDG?``: out-of-phase resistance in ohms."""
    return Query(f"QRDG? {measurement_channel(channel)}", _parse_reading)


def excitation_power(channel: Channel) -> Query[float]:
    """``RDGPWR?``: power of the last excitation in watts."""
    return Query(f"RDGPWR? {any_channel(channel)}", lambda text: decimal(text, "the power"))


def reading_status(channel: Channel) -> Query[ReadingStatus]:
    """``RDGST?``: what is wrong with a channel's reading."""
    return Query(
        f"RDGST? {any_channel(channel)}",
        lambda text: ReadingStatus(integer(text, 0, 255, "the status")),
    )


def settling() -> Query[InputsSettling]:
    """``RDGSTL?``: whether the readings of the inputs are valid by now."""
    return Query("RDGSTL?", _parse_settling)


def extremes(channel: Channel) -> Query[Extremes]:
    """``MDAT?``: lowest and highest reading since they were last reset."""
    return Query(f"MDAT? {any_channel(channel)}", _parse_extremes)


def reset_extremes() -> Command:
    """``MNMXRST``: begin anew with the extremes of all channels."""
    return Command("MNMXRST")


def measurement_channel(channel: int) -> int:
    """Return a measurement channel that exists.

    Raises:
        ValueError: it does not.
    """
    if channel not in MEASUREMENT_CHANNELS:
        raise ValueError(f"No measurement channel {channel!r}; there are 1 to 16.")
    return channel


def any_channel(channel: Channel) -> Channel:
    """Return a channel that exists, ``"A"`` included.

    Raises:
        ValueError: it does not.
    """
    return "A" if channel == "A" else measurement_channel(channel)


def _parse_reading(text: str) -> float:
    if not _READING.fullmatch(text):
        raise BadReply(f"{text[:40]!r} is not a reading like +293.873E+00.")
    return float(text)


def _parse_scan(text: str) -> ScanState:
    channel, autoscan = fields(text, ("channel", "autoscan"))
    return ScanState(
        integer(channel, 1, 16, "the channel"), bool(integer(autoscan, 0, 1, "autoscan"))
    )


def _parse_settling(text: str) -> InputsSettling:
    control, measurement = fields(text, ("control", "measurement"))
    return InputsSettling(
        member(Settling, control, "the control input's settling"),
        member(Settling, measurement, "the measurement channel's settling"),
    )


def _parse_extremes(text: str) -> Extremes:
    lowest, highest = fields(text, ("lowest", "highest"))
    return Extremes(decimal(lowest, "the lowest reading"), decimal(highest, "the highest reading"))
