"""Codes that travel between agents and clients (spec/ocs-protocol.md, sections 4 and 5)."""

from enum import Enum

__all__ = ["OpCode", "ResponseCode"]


class ResponseCode(Enum):
    """First element of every reply of the operations API."""

    OK = 0
    """The request reached the operation's machinery; not that the operation succeeded."""

    ERROR = -1
    """The request was refused."""

    TIMEOUT = 1
    """``wait`` expired before the operation ended."""


class OpCode(Enum):
    """State of an operation in one number, as heartbeats and sessions carry it."""

    NONE = 1
    STARTING = 2
    RUNNING = 3
    STOPPING = 4
    SUCCEEDED = 5
    FAILED = 6
    EXPIRED = 7
    DEGRADED = 8
