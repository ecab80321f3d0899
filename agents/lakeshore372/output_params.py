"""What the parameters of the 372 Agent's output operations may be, and what they mean."""

import math
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from agents.lakeshore.link import Refused
from agents.lakeshore372.output_tables import OUTPUT_NAMES, SAMPLE_HEATER_RANGE_A, Output

__all__ = ["HEATERS", "LOOPS", "Wait", "heater_name", "range_step", "range_value"]

HEATERS: Mapping[str, Output] = MappingProxyType(
    {"sample": Output.SAMPLE, "still": Output.STILL, "warmup": Output.WARM_UP}
)
"""Names of the outputs."""

LOOPS = ("sample", "warmup")
"""Names of the outputs that have a control loop."""

Wait = Callable[[threading.Event, float], bool]
"""Waits for an event, so many seconds at most; tells whether it is set."""


def heater_name(value: Any) -> str:
    """Return a name in lower case, as operations cast it."""
    return str(value).strip().lower()


def range_step(output: Output, value: object) -> int:
    """Return the number of a range given as current, ``on`` or ``off``.

    Raises:
        Refused: the output has no such range.
    """
    text = str(value).strip().lower()
    if text in {"off", "false", "0", "0.0"}:
        return 0
    if output is not Output.SAMPLE:
        if text in {"on", "true"}:
            return 1
        raise Refused(f"The {OUTPUT_NAMES[output]} can be 'on' or 'off', not {value!r}.")
    try:
        current_a = float(text)
    except ValueError:
        current_a = math.nan
    for step, full_a in SAMPLE_HEATER_RANGE_A.items():
        # 1 %: some write 3.16 mA, some the half decade itself, 3.162 mA.
        if math.isclose(current_a, full_a, rel_tol=0.01):
            return step
    allowed = ", ".join(f"{current:g}" for current in SAMPLE_HEATER_RANGE_A.values())
    raise Refused(f"The sample heater's range can be 'off' or {allowed} A, not {value!r}.")


def range_value(output: Output, step: int) -> float | str:
    """Return a range as a client gives it: amperes (0 for off), or on and off."""
    if output is Output.SAMPLE:
        return SAMPLE_HEATER_RANGE_A[step] if step else 0.0
    return "on" if step else "off"
