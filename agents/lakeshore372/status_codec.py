"""The 372's registers and the commands every instrument has: queries and commands. No I/O.

Facts from the project's Lake Shore specification, section 1.4.
"""

from enum import IntFlag

from agents.lakeshore.messages import Command, Query, integer

__all__ = [
    "EventStatus",
    "StatusByte",
    "clear_status",
    "event_mask",
    "event_status",
    "leave_emulation",
    "operation_complete",
    "reset",
    "restore_factory_defaults",
    "self_test_failed",
    "service_mask",
    "set_event_mask",
    "set_service_mask",
    "signal_completion",
    "status_byte",
    "wait_for_completion",
]


class EventStatus(IntFlag):
    """Bits of the event register, ``*ESR?``; reading it clears them."""

    OPERATION_COMPLETE = 1
    QUERY_ERROR = 4
    EXECUTION_ERROR = 16
    COMMAND_ERROR = 32
    POWER_ON = 128

    @property
    def refusal(self) -> bool:
        """True if the unit has not carried out something it was sent."""
        return bool(self & (self.QUERY_ERROR | self.EXECUTION_ERROR | self.COMMAND_ERROR))


class StatusByte(IntFlag):
    """Bits of the status byte, ``*STB?``."""

    WARM_UP_RAMP_DONE = 1
    CONTROL_READING_VALID = 2
    MEASUREMENT_READING_VALID = 4
    ALARM = 8
    OVERLOAD = 16
    EVENT_SUMMARY = 32
    MASTER_SUMMARY = 64
    SAMPLE_HEATER_RAMP_DONE = 128


def clear_status() -> Command:
    """``*CLS``: clear the event register and the status byte."""
    return Command("*CLS")


def event_status() -> Query[EventStatus]:
    """``*ESR?``: what has happened since it was last asked."""
    return Query("*ESR?", _events)


def event_mask() -> Query[EventStatus]:
    """``*ESE?``: which events show in the status byte."""
    return Query("*ESE?", _events)


def set_event_mask(events: EventStatus) -> Command:
    """``*ESE``: let these events show in the status byte."""
    return Command(f"*ESE {events.value}")


def status_byte() -> Query[StatusByte]:
    """``*STB?``: the unit's state in eight bits."""
    return Query("*STB?", _status)


def service_mask() -> Query[StatusByte]:
    """``*SRE?``: which bits of the status byte ask for service."""
    return Query("*SRE?", _status)


def set_service_mask(bits: StatusByte) -> Command:
    """``*SRE``: let these bits of the status byte ask for service."""
    return Command(f"*SRE {bits.value}")


def signal_completion() -> Command:
    """``*OPC``: set the event bit when everything before is done."""
    return Command("*OPC")


def operation_complete() -> Query[bool]:
    """``*OPC?``: answered, with true, when everything before is done."""
    return Query("*OPC?", lambda text: bool(integer(text, 1, 1, "the answer")))


def wait_for_completion() -> Command:
    """``*WAI``: carry out what follows when everything before is done."""
    return Command("*WAI")


def self_test_failed() -> Query[bool]:
    """``*TST?``: whether the unit found a fault in itself as it was switched on."""
    return Query("*TST?", lambda text: bool(integer(text, 0, 1, "the result")))


def reset() -> Command:
    """``*RST``: go back to the settings of power-up."""
    return Command("*RST")


def restore_factory_defaults() -> Command:
    """``DFLT 99``: go back to the maker's settings; those of the site are lost."""
    return Command("DFLT 99")


def leave_emulation() -> Command:
    """``EMUL 0``: speak as a 372, not as a Model 370."""
    return Command("EMUL 0")


def _events(text: str) -> EventStatus:
    return EventStatus(integer(text, 0, 255, "the register"))


def _status(text: str) -> StatusByte:
    return StatusByte(integer(text, 0, 255, "the register"))
