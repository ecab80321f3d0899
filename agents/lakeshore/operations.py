"""Operations that need an instrument: what went wrong with it is their answer, not a crash."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from agents.lakeshore.messages import InstrumentError
from ocs.ocs_agent import OpSession

__all__ = ["reporting"]

S = TypeVar("S")
Operation = Callable[[S, OpSession, Mapping[str, Any]], tuple[bool, str]]


def reporting(operation: Operation[S]) -> Operation[S]:
    """Let an operation (a method) end with ``False`` and the words of an `InstrumentError`."""

    @functools.wraps(operation)
    def wrapper(self: S, session: OpSession, params: Mapping[str, Any]) -> tuple[bool, str]:
        try:
            return operation(self, session, params)
        except InstrumentError as error:
            return False, str(error)

    return wrapper
