"""Which module and which input an operation means."""

from collections.abc import Mapping, Sequence
from typing import Any

from agents.lakeshore.messages import InstrumentError
from agents.lakeshore240 import codec
from agents.lakeshore240.module import Module

__all__ = ["NotPossible", "find_target"]


class NotPossible(InstrumentError):
    """What was asked for does not exist, or does not go together; nothing was changed."""


def find_target(modules: Sequence[Module], params: Mapping[str, Any]) -> tuple[Module, int]:
    """Return the module and the input that a client's ``module`` and ``channel`` name.

    Raises:
        NotPossible: there is none of this name or number.
        InstrumentError: the module does not answer.
    """
    module = _module(modules, params["module"])
    # Which inputs there are is known once the module has answered anything.
    module.driver.ask(codec.module_name())
    channels = module.driver.model.channels
    channel: int = params["channel"]
    if channel not in channels:
        raise NotPossible(f"There is no channel {channel}; this module has 1 to {channels[-1]}.")
    return module, channel


def _module(modules: Sequence[Module], serial: str | None) -> Module:
    if serial is None and len(modules) == 1:
        return modules[0]
    for module in modules:
        if serial is not None and serial == module.driver.expected_serial:
            return module
    known = ", ".join(module.driver.expected_serial or "one without a name" for module in modules)
    if serial is None:
        raise NotPossible(f"This Agent has several modules; say which one: {known}.")
    raise NotPossible(f"This Agent has no module {serial}; it has {known}.")
