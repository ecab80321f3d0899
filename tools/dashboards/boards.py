"""The dashboards that come with the live monitor, in no dialect of Grafana's.

What is shown, where and in which units; `current` and `legacy` write it down for one Grafana each.
"""

import attrs

__all__ = ["BOARDS", "Board", "NodeChoice", "Panel", "Target"]

_COLUMNS = 24  # of Grafana's grid
_STAT_WIDTH = 3
_STAT_HEIGHT = 3
_PLOT_HEIGHT = 10


@attrs.frozen
class Target:
    """One curve, or those of all fields that match a pattern.

    Attributes:
        name: ``NODE::field``; ``$node`` stands for the instrument that is chosen.
        label: Name in the legend; empty for the name of each field.
    """

    name: str
    label: str = ""


@attrs.frozen
class Panel:
    """A part of a dashboard.

    Attributes:
        kind: ``plot``, ``value`` (the newest one) or ``nodes`` (table of the data nodes).
        title: Heading.
        unit: Grafana's name of the unit.
        decimals: Digits after the point; None leaves it to Grafana.
        targets: What is shown.
        place: x, y, width and height in Grafana's grid.
    """

    kind: str
    title: str
    place: tuple[int, int, int, int]
    targets: tuple[Target, ...] = ()
    unit: str = "none"
    decimals: int | None = None


@attrs.frozen
class NodeChoice:
    """The drop-down for the instrument.

    Attributes:
        default: Data node that is shown first.
        suffix: End of the names of fields that instruments of this kind have, and others do not.
    """

    default: str
    suffix: str


@attrs.frozen
class Board:
    """A dashboard."""

    uid: str
    title: str
    panels: tuple[Panel, ...]
    choice: NodeChoice | None = None
    refresh: str = "5s"
    first: str = "now-1h"
    last: str = "now"


def _channel(number: int, digits: int, quantity: str) -> Target:
    return Target(f"$node::channel_{number:0{digits}d}_{quantity}", f"Channel {number}")


def _values(targets: list[Target], y: int, unit: str, decimals: int) -> list[Panel]:
    """Return a panel for each newest value, eight in a row."""
    across = _COLUMNS // _STAT_WIDTH
    return [
        Panel(
            "value",
            target.label,
            (n % across * _STAT_WIDTH, y + n // across * _STAT_HEIGHT, _STAT_WIDTH, _STAT_HEIGHT),
            (target,),
            unit,
            decimals,
        )
        for n, target in enumerate(targets)
    ]


def _two_plots(title: str, targets: list[Target], y: int, unit: str, decimals: int) -> list[Panel]:
    """Return two plots side by side: the first eight channels, and the others."""
    half = _COLUMNS // 2
    return [
        Panel(
            "plot",
            f"{title}, channels {first} to {first + len(part) - 1}",
            (x, y, half, _PLOT_HEIGHT),
            tuple(part),
            unit,
            decimals,
        )
        for x, first, part in ((0, 1, targets[:8]), (half, 9, targets[8:]))
    ]


def _all_temperatures(y: int, decimals: int) -> Panel:
    """Return a plot of every temperature, also of channels that have names of their own."""
    return Panel(
        "plot",
        "All temperatures, by the names of their fields",
        (0, y, _COLUMNS, _PLOT_HEIGHT),
        (Target("$node::.*_t"),),
        "kelvin",
        decimals,
    )


def _lakeshore_372() -> Board:
    kelvin = [_channel(number, 2, "t") for number in range(1, 16)]
    ohm = [_channel(number, 2, "r") for number in range(1, 16)]
    below = _PLOT_HEIGHT + 2 * _STAT_HEIGHT
    return Board(
        "lakeshore-372",
        "Lake Shore 372",
        (
            *_two_plots("Temperature", kelvin, 0, "kelvin", 4),
            *_values(kelvin, _PLOT_HEIGHT, "kelvin", 4),
            *_two_plots("Resistance", ohm, below, "ohm", 1),
            _all_temperatures(below + _PLOT_HEIGHT, 4),
        ),
        NodeChoice("LSA23JD", "_r"),
    )


def _lakeshore_240() -> Board:
    kelvin = [_channel(number, 1, "t") for number in range(1, 9)]
    sensor = [_channel(number, 1, "v") for number in range(1, 9)]
    below = _STAT_HEIGHT + _PLOT_HEIGHT
    return Board(
        "lakeshore-240",
        "Lake Shore 240",
        (
            *_values(kelvin, 0, "kelvin", 3),
            Panel(
                "plot",
                "Temperature",
                (0, _STAT_HEIGHT, _COLUMNS, _PLOT_HEIGHT),
                tuple(kelvin),
                "kelvin",
                3,
            ),
            Panel(
                "plot",
                "Sensor, in V or Ohm",
                (0, below, _COLUMNS, _PLOT_HEIGHT),
                tuple(sensor),
                "none",
                4,
            ),
            _all_temperatures(below + _PLOT_HEIGHT, 3),
        ),
        NodeChoice("ls240", "_v"),
    )


def _weather() -> Board:
    fields = (
        ("radiometer", "Water vapour", "lengthmm", 2),
        ("temperature", "Temperature", "celsius", 1),
        ("humidity", "Humidity", "percent", 1),
        ("pressure", "Pressure", "pressurembar", 1),
        ("windspeed", "Wind speed", "velocitykmh", 1),
    )
    half, height = _COLUMNS // 2, 8
    panels = [
        Panel(
            "plot",
            title,
            (0, 0, _COLUMNS, height)
            if n == 0
            else ((n - 1) % 2 * half, height + (n - 1) // 2 * height, half, height),
            (Target(f"apex_archive::apex_{field}", title),),
            unit,
            decimals,
        )
        for n, (field, title, unit, decimals) in enumerate(fields)
    ]
    return Board(
        "weather",
        "Weather at APEX, July 2017",
        tuple(panels),
        refresh="",
        first="2017-07-13T00:00:00.000Z",
        last="2017-07-28T00:00:00.000Z",
    )


def _system() -> Board:
    return Board(
        "system",
        "System",
        (
            Panel("nodes", "Data nodes", (0, 0, _COLUMNS, 9)),
            Panel(
                "plot",
                "Sensors of this computer",
                (0, 9, _COLUMNS, _PLOT_HEIGHT),
                (Target("sensors::.*"),),
                "none",
                1,
            ),
        ),
        refresh="10s",
    )


BOARDS = (_lakeshore_372(), _lakeshore_240(), _weather(), _system())
