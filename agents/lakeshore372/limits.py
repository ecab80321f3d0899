"""What a site allows its 372 to do to a cryostat: bounds given on the Agent's command line.

None of them is needed: without one the instrument's own bounds hold. The exception is the
setpoint, which stays below 1 K unless the site says otherwise: `servo_to_temperature` has always
refused more (the project's Lake Shore specification, section 6.2).
"""

import argparse
import math

import attrs

from agents.lakeshore.messages import InstrumentError
from agents.lakeshore372.output_tables import SAMPLE_HEATER_RANGE_A, full_power_w

__all__ = ["LimitExceeded", "Limits", "add_arguments", "from_args"]

UNCONFIGURED_SETPOINT_K = 1.0
"""Setpoints must stay below this where the site has set no limit."""


class LimitExceeded(InstrumentError):
    """The site configuration does not allow this much.

    Ask for less, or raise the limit with the option that the message names.
    """


@attrs.frozen
class Limits:
    """A site's limits; None is no limit.

    Attributes:
        setpoint_k: highest setpoint in kelvin.
        sample_heater_range_a: largest range of the sample heater in amperes.
        sample_heater_power_w: largest power the sample heater may have in watts.
        still_percent: largest output of the still heater in percent of its 10 V.
        warm_up_percent: largest output of the warm-up heater in percent of its current.
    """

    setpoint_k: float | None = None
    sample_heater_range_a: float | None = None
    sample_heater_power_w: float | None = None
    still_percent: float | None = None
    warm_up_percent: float | None = None

    def check_setpoint(self, kelvin: float) -> None:
        """Refuse a setpoint in kelvin that is too high.

        Raises:
            LimitExceeded: it is above the limit, or 1 K and more where there is none.
        """
        if self.setpoint_k is None and kelvin >= UNCONFIGURED_SETPOINT_K:
            raise LimitExceeded(
                f"A setpoint of {kelvin:g} K is too high: it must be below "
                f"{UNCONFIGURED_SETPOINT_K:g} K unless the site configuration sets --max-setpoint."
            )
        _refuse_above(self.setpoint_k, kelvin, "K", "A setpoint", "--max-setpoint")

    def check_range(self, heater_range: int, resistance_ohm: float) -> None:
        """Refuse a range of the sample heater in which it could get too much.

        Args:
            heater_range: 0 to 8; 0 is off.
            resistance_ohm: resistance of the heater.

        Raises:
            LimitExceeded: its full current or power is above the limit.
        """
        if not heater_range:
            return
        current_a = SAMPLE_HEATER_RANGE_A[heater_range]
        _refuse_above(
            self.sample_heater_range_a,
            current_a,
            "A",
            "A sample heater range",
            "--max-sample-heater-range",
        )
        self.check_power(
            full_power_w(heater_range, resistance_ohm),
            f"The full power of the sample heater's {current_a:g} A range into "
            f"{resistance_ohm:g} ohm,",
        )

    def check_power(self, power_w: float, what: str = "A sample heater power") -> None:
        """Refuse too much power of the sample heater, in watts.

        Args:
            power_w: power in watts.
            what: what it is, for the message.

        Raises:
            LimitExceeded: it is above the limit.
        """
        _refuse_above(self.sample_heater_power_w, power_w, "W", what, "--max-sample-heater-power")

    def check_still(self, percent: float) -> None:
        """Refuse too much output of the still heater, in percent.

        Raises:
            LimitExceeded: it is above the limit.
        """
        _refuse_above(
            self.still_percent, percent, "%", "A still heater output", "--max-still-output"
        )

    def check_warm_up(self, percent: float) -> None:
        """Refuse too much output of the warm-up heater, in percent.

        Raises:
            LimitExceeded: it is above the limit.
        """
        _refuse_above(
            self.warm_up_percent, percent, "%", "A warm-up heater output", "--max-warm-up-output"
        )


def _refuse_above(limit: float | None, value: float, unit: str, what: str, option: str) -> None:
    # Tables and site configurations round to three digits: 31.6 mA must pass a limit of 0.0316.
    if limit is not None and value > limit and not math.isclose(value, limit, rel_tol=1e-6):
        separator = "" if what.endswith(",") else " of"
        raise LimitExceeded(
            f"{what}{separator} {value:g} {unit} is above the site's limit, {limit:g} {unit} "
            f"({option})."
        )


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage, 0 to 100")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the options of the limits to a parser and return it."""
    group = parser.add_argument_group("safety limits of the outputs")
    group.add_argument(
        "--max-setpoint",
        type=_positive,
        metavar="K",
        help="highest setpoint in kelvin (without it, setpoints must be below "
        f"{UNCONFIGURED_SETPOINT_K:g} K)",
    )
    group.add_argument(
        "--max-sample-heater-range",
        type=_positive,
        metavar="A",
        help="largest range of the sample heater in amperes",
    )
    group.add_argument(
        "--max-sample-heater-power",
        type=_positive,
        metavar="W",
        help="largest power of the sample heater in watts",
    )
    group.add_argument(
        "--max-still-output",
        type=_percent,
        metavar="PERCENT",
        help="largest output of the still heater in percent",
    )
    group.add_argument(
        "--max-warm-up-output",
        type=_percent,
        metavar="PERCENT",
        help="largest output of the warm-up heater in percent",
    )
    return parser


def from_args(args: argparse.Namespace) -> Limits:
    """Return the limits that a command line gives."""
    return Limits(
        setpoint_k=args.max_setpoint,
        sample_heater_range_a=args.max_sample_heater_range,
        sample_heater_power_w=args.max_sample_heater_power,
        still_percent=args.max_still_output,
        warm_up_percent=args.max_warm_up_output,
    )
