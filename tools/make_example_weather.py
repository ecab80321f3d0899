"""Make the synthetic weather archive that comes with the monitor (sisock/example_data).

    python3 tools/make_example_weather.py [DIRECTORY]

Two weeks of July 2017 in the form of the APEX example archive: same fields, span, rows and gaps,
but no number of it was measured. The same numbers come out every time.
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SEED = 20170714
START = 1_499_990_400  # 2017-07-14T00:00Z
DAYS = 14
DAY_S = 86_400
EXAMPLE_DATA = Path(__file__).parents[1] / "sisock" / "example_data"

HOURLY_S, MINUTELY_S = 3600, 60
GAP_START, GAP_S = START + 9784 * 60, 420
SECOND_GAP_START, SECOND_GAP_S = START + 17_544 * 60, 120

Array = NDArray[np.float64]


def times(period_s: int, gaps: Sequence[tuple[int, int]] = ()) -> Array:
    """Return Unix times over the whole span, without those strictly inside a gap."""
    every = np.arange(START, START + DAYS * DAY_S + 1, period_s, dtype=np.float64)
    for begin, length_s in gaps:
        every = every[(every <= begin) | (every >= begin + length_s)]
    return every


def wander(random: np.random.RandomState, count: int, memory: float) -> Array:
    """Return a random walk that is pulled back to zero, with unit variance."""
    steps = random.standard_normal(count) * np.sqrt(1 - memory**2)
    walk = np.empty(count)
    level = random.standard_normal()
    for index, step in enumerate(steps):
        level = memory * level + step
        walk[index] = level
    return walk


def day_curve(at: Array, warmest_hour: float) -> Array:
    """Return a wave of one day that is 1 at a given hour (UTC)."""
    return np.asarray(np.cos(2 * np.pi * ((at - START) / DAY_S - warmest_hour / 24)))


def write(path: Path, header: Sequence[str], at: Array, values: Array, decimals: int) -> None:
    """Write a file; each day begins with its date and repeats the last row of the day before."""
    lines = [f"# {line}" for line in header]
    for day in range(DAYS):
        begin = START + day * DAY_S
        lines.append(f"# {datetime.fromtimestamp(begin, UTC):%Y-%m-%d}")
        rows = (at >= begin) & (at <= begin + DAY_S)
        lines += [
            f"{time_s:.1f} {value:.{decimals}f}"
            for time_s, value in zip(at[rows], values[rows], strict=True)
        ]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def make(directory: Path) -> None:
    """Write the five files into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    # RandomState, because its numbers stay the same in every version of numpy.
    random = np.random.RandomState(SEED)
    hourly = times(HOURLY_S)
    radiometer = times(MINUTELY_S, [(GAP_START, GAP_S), (SECOND_GAP_START, SECOND_GAP_S)])
    wind = times(MINUTELY_S, [(GAP_START, GAP_S)])
    weather = wander(random, hourly.size, 0.98)
    columns = (
        (
            "humidity",
            ("%", "hourly"),
            hourly,
            np.clip(25 + 15 * weather - 8 * day_curve(hourly, 18), 1, 99),
            2,
        ),
        (
            "pressure",
            ("mBar", "hourly"),
            hourly,
            555 + 1.8 * wander(random, hourly.size, 0.99) + 0.4 * day_curve(hourly, 14),
            2,
        ),
        (
            "temperature",
            ("C", "hourly"),
            hourly,
            -5 + 2 * wander(random, hourly.size, 0.97) + 4 * day_curve(hourly, 18),
            2,
        ),
        (
            "radiometer",
            ("mm", "minutely"),
            radiometer,
            0.7 * np.exp(0.45 * wander(random, radiometer.size, 0.9995))
            + 0.01 * random.standard_normal(radiometer.size),
            6,
        ),
        (
            "windspeed",
            ("km/h", "minutely"),
            wind,
            np.abs(
                18 + 9 * wander(random, wind.size, 0.999) + 2 * random.standard_normal(wind.size)
            ),
            1,
        ),
    )
    for quantity, (units, timeline), at, values, decimals in columns:
        header = (f"Synthetic {quantity}, not measured (APEX archive format).", timeline, units)
        write(directory / f"apex_{quantity}.dat", header, at, values, decimals)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description="Make the monitor's synthetic example weather.")
    parser.add_argument(
        "directory", nargs="?", type=Path, default=EXAMPLE_DATA, help="where the files go"
    )
    make(parser.parse_args(argv).directory)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
