"""What the parameters of the 372 Agent's input operations may be."""

from collections.abc import Mapping
from typing import Any

from agents.lakeshore372.input_tables import MEASUREMENT_CHANNELS, Channel

__all__ = ["input_of", "is_input", "is_measurement", "on_or_off"]


def is_measurement(channel: int) -> bool:
    """Tell whether a number is a measurement channel's, 1 to 16."""
    return channel in MEASUREMENT_CHANNELS


def is_input(channel: int) -> bool:
    """Tell whether a number is a measurement channel's, or 0 for the control input."""
    return channel == 0 or channel in MEASUREMENT_CHANNELS


def input_of(params: Mapping[str, Any]) -> Channel:
    """Return the input that the parameter ``channel`` means."""
    number: int = params["channel"]
    return number or "A"


def on_or_off(value: Any) -> Any:
    """Turn true and false, as booleans or as words, into on and off; leave the rest as it is."""
    return {"true": "on", "false": "off"}.get(str(value).lower(), value)
