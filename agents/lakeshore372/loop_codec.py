"""What the 372 says about its control loops: terms, setpoint, ramp, zones. No I/O.

Facts from the project's Lake Shore specification, sections 1.2 and 1.4.
"""

from agents.lakeshore.messages import Command, Query, decimal, fields, integer
from agents.lakeshore372.output_codec import highest_range, number, whole
from agents.lakeshore372.output_tables import Output, PidTerms, Ramp, Zone

__all__ = [
    "pid",
    "ramp",
    "ramping",
    "set_pid",
    "set_ramp",
    "set_setpoint",
    "set_zone",
    "setpoint",
    "zone",
]

ZONES = range(1, 11)


def pid(output: Output) -> Query[PidTerms]:
    """``PID?``: terms of an output's control loop."""
    return Query(f"PID? {_loop(output)}", _parse_pid)


def set_pid(output: Output, terms: PidTerms) -> Command:
    """``PID``: set the terms of an output's control loop.

    Raises:
        ValueError: one is out of bounds: P 0 to 1000, I 0 to 10000, D 0 to 2500.
    """
    return Command(f"PID {_loop(output)},{_pid(terms)}")


def setpoint(output: Output) -> Query[float]:
    """``SETP?``: setpoint in the preferred units of the control input: kelvin or ohms."""
    return Query(f"SETP? {_loop(output)}", lambda text: decimal(text, "the setpoint"))


def set_setpoint(output: Output, value: float) -> Command:
    """``SETP``: set the setpoint, counted as in `setpoint`.

    Raises:
        ValueError: it is below 0.
    """
    return Command(f"SETP {_loop(output)},{number(value, 0, 1e9, 'The setpoint')}")


def ramp(output: Output) -> Query[Ramp]:
    """``RAMP?``: whether and how fast the setpoint ramps."""
    return Query(f"RAMP? {_loop(output)}", _parse_ramp)


def set_ramp(output: Output, value: Ramp) -> Command:
    """``RAMP``: have the setpoint ramp, or step.

    Raises:
        ValueError: the rate is neither 0 nor 0.001 to 100 K/min.
    """
    low = 0.001 if value.rate_k_per_min else 0.0
    rate = number(value.rate_k_per_min, low, 100, "The rate")
    return Command(f"RAMP {_loop(output)},{value.on:d},{rate}")


def ramping(output: Output) -> Query[bool]:
    """``RAMPST?``: whether the setpoint is on its way."""
    return Query(
        f"RAMPST? {_loop(output)}", lambda text: bool(integer(text, 0, 1, "the ramp's state"))
    )


def zone(output: Output, index: int) -> Query[Zone]:
    """``ZONE?``: settings of one of the ten temperature zones of an output."""
    return Query(
        f"ZONE? {_loop(output)},{whole(index, ZONES[0], ZONES[-1], 'The zone')}",
        lambda text: _parse_zone(text, output),
    )


def set_zone(output: Output, index: int, value: Zone) -> Command:
    """``ZONE``: set one of the ten temperature zones of an output.

    Raises:
        ValueError: a value is out of bounds.
    """
    words = (
        f"{_loop(output)}",
        f"{whole(index, ZONES[0], ZONES[-1], 'The zone')}",
        number(value.upper_k, 0, 1e4, "The upper bound"),
        _pid(value.pid),
        number(value.manual_percent, 0, 100, "The manual output"),
        f"{whole(value.heater_range, 0, highest_range(output), 'The range')}",
        number(value.ramp_k_per_min, 0, 100, "The rate"),
        f"{whole(value.relay_1, 0, 2, 'Relay 1')}",
        f"{whole(value.relay_2, 0, 2, 'Relay 2')}",
    )
    return Command(f"ZONE {','.join(words)}")


def _loop(output: Output) -> str:
    if output == Output.STILL:
        raise ValueError("The still output has no control loop.")
    return f"{output:d}"


def _pid(terms: PidTerms) -> str:
    return ",".join(
        (
            number(terms.proportional, 0, 1000, "P"),
            number(terms.integral, 0, 10000, "I"),
            number(terms.derivative, 0, 2500, "D"),
        )
    )


def _parse_pid(text: str) -> PidTerms:
    p_text, i_text, d_text = fields(text, ("P", "I", "D"))
    return PidTerms(
        decimal(p_text, "P", 0, 1000), decimal(i_text, "I", 0, 10000), decimal(d_text, "D", 0, 2500)
    )


def _parse_ramp(text: str) -> Ramp:
    on, rate = fields(text, ("on", "rate"))
    return Ramp(bool(integer(on, 0, 1, "the ramp")), decimal(rate, "the rate", 0, 100))


def _parse_zone(text: str, output: Output) -> Zone:
    upper, p_text, i_text, d_text, manual, step, rate, relay_1, relay_2 = fields(
        text, ("upper bound", "P", "I", "D", "manual output", "range", "rate", "relay 1", "relay 2")
    )
    return Zone(
        upper_k=decimal(upper, "the upper bound", 0),
        pid=_parse_pid(f"{p_text},{i_text},{d_text}"),
        manual_percent=decimal(manual, "the manual output", 0, 100),
        heater_range=integer(step, 0, highest_range(output), "the range"),
        ramp_k_per_min=decimal(rate, "the rate", 0, 100),
        relay_1=integer(relay_1, 0, 2, "relay 1"),
        relay_2=integer(relay_2, 0, 2, "relay 2"),
    )
