"""What the 372 says of its panel, alarms, relays and interfaces: queries and commands. No I/O.

No operation of the Agent needs these; they are for scripts and for who sets a unit up from afar.

Facts from the project's Lake Shore specification, section 1.4; the fields of each from the
behaviour of the maker's own driver (1.10.0), which the specification names [V].
"""

import csv

from agents.lakeshore.messages import (
    BadReply,
    Command,
    Query,
    decimal,
    fields,
    integer,
    member,
    printable,
)
from agents.lakeshore372.codec import any_channel
from agents.lakeshore372.input_tables import Channel, Units
from agents.lakeshore372.panel_tables import (
    AlarmSettings,
    AlarmState,
    AnalogSettings,
    Display,
    DisplayField,
    DisplayFieldUnits,
    DisplayInfo,
    DisplayMode,
    Interface,
    InterfaceMode,
    KeypadLock,
    Lines,
    MonitorSource,
    RelayMode,
    RelaySettings,
)

__all__ = [
    "alarm",
    "alarm_state",
    "analog",
    "beeper",
    "brightness",
    "digital_output",
    "display",
    "display_field",
    "gpib_address",
    "interface",
    "interface_mode",
    "keypad_lock",
    "leds",
    "monitor",
    "network_configuration",
    "network_settings",
    "relay",
    "relay_state",
    "reset_alarms",
    "set_alarm",
    "set_analog",
    "set_beeper",
    "set_brightness",
    "set_digital_output",
    "set_display",
    "set_display_field",
    "set_gpib_address",
    "set_interface",
    "set_interface_mode",
    "set_keypad_lock",
    "set_leds",
    "set_monitor",
    "set_network_settings",
    "set_relay",
    "set_web_login",
    "web_login",
]


def alarm(channel: Channel) -> Query[AlarmSettings]:
    """``ALARM?``: when a channel sounds an alarm."""
    return Query(f"ALARM? {any_channel(channel)}", _parse_alarm)


def set_alarm(channel: Channel, settings: AlarmSettings) -> Command:
    """``ALARM``: all that `alarm` says."""
    it = settings
    return Command(
        f"ALARM {any_channel(channel)},{it.on:d},{it.source:d},{it.high:g},{it.low:g},"
        f"{it.deadband:g},{it.latching:d},{it.audible:d},{it.visible:d}"
    )


def alarm_state(channel: Channel) -> Query[AlarmState]:
    """``ALARMST?``: which alarms of a channel are active."""

    def parse(text: str) -> AlarmState:
        high, low = fields(text, ("high alarm", "low alarm"))
        return AlarmState(_switch(high, "the high alarm"), _switch(low, "the low alarm"))

    return Query(f"ALARMST? {any_channel(channel)}", parse)


def reset_alarms() -> Command:
    """``ALMRST``: let go of latched alarms."""
    return Command("ALMRST")


def analog(output: int) -> Query[AnalogSettings]:
    """``ANALOG?``: output 1 or 2 as an analog output."""
    return Query(f"ANALOG? {_one_of(output, 1, 2, 'output')}", _parse_analog)


def set_analog(output: int, settings: AnalogSettings) -> Command:
    """``ANALOG``: all that `analog` says."""
    it = settings
    return Command(
        f"ANALOG {_one_of(output, 1, 2, 'output')},{it.bipolar:d},{_one_of(it.mode, 0, 6, 'mode')},"
        f"{it.channel or 0},{it.source:d},{it.high:g},{it.low:g},{it.manual_percent:g}"
    )


def beeper() -> Query[bool]:
    """``BEEP?``: whether alarms are to be heard."""
    return Query("BEEP?", lambda text: _switch(text, "the beeper"))


def set_beeper(*, on: bool) -> Command:
    """``BEEP``: let alarms be heard, or not."""
    return Command(f"BEEP {on:d}")


def brightness() -> Query[int]:
    """``BRIGT?``: brightness of the display, as the unit counts it."""
    return Query("BRIGT?", lambda text: integer(text, 0, 100, "the brightness"))


def set_brightness(level: int) -> Command:
    """``BRIGT``: brightness of the display, as the unit counts it."""
    return Command(f"BRIGT {_one_of(level, 0, 100, 'brightness')}")


def display() -> Query[Display]:
    """``DISPLAY?``: what the display shows."""

    def parse(text: str) -> Display:
        mode, number, info = fields(text, ("mode", "number of fields", "information"))
        return Display(
            member(DisplayMode, mode, "the mode"),
            integer(number, 0, 16, "the number of fields"),
            member(DisplayInfo, info, "the information"),
        )

    return Query("DISPLAY?", parse)


def set_display(settings: Display) -> Command:
    """``DISPLAY``: all that `display` says."""
    return Command(f"DISPLAY {settings.mode:d},{settings.fields},{settings.info:d}")


def display_field(field: int) -> Query[DisplayField]:
    """``DISPFLD?``: what a field of the custom display shows."""

    def parse(text: str) -> DisplayField:
        channel, units = fields(text, ("channel", "units"))
        return DisplayField(_channel(channel), member(DisplayFieldUnits, units, "the units"))

    return Query(f"DISPFLD? {_one_of(field, 1, 16, 'field')}", parse)


def set_display_field(field: int, settings: DisplayField) -> Command:
    """``DISPFLD``: all that `display_field` says."""
    number = _one_of(field, 1, 16, "field")
    return Command(f"DISPFLD {number},{settings.channel or 0},{settings.units:d}")


def digital_output() -> Query[Lines]:
    """``DOUT?``: which lines are high."""
    return Query("DOUT?", lambda text: Lines(integer(text, 0, 31, "the lines")))


def set_digital_output(lines: Lines) -> Command:
    """``DOUT``: make these lines high, the others low."""
    return Command(f"DOUT {lines.value}")


def gpib_address() -> Query[int]:
    """``IEEE?``: address on the GPIB, the last field if there are several."""
    return Query(
        "IEEE?", lambda text: integer(text.split(",")[-1].strip(" "), 0, 31, "the address")
    )


def set_gpib_address(address: int) -> Command:
    """``IEEE``: address on the GPIB, 1 to 30; terminator and EOI as shipped."""
    return Command(f"IEEE 0,0,{_one_of(address, 1, 30, 'address')}")


def interface() -> Query[Interface]:
    """``INTSEL?``: the remote interface in use."""
    return Query("INTSEL?", lambda text: member(Interface, text, "the interface"))


def set_interface(choice: Interface) -> Command:
    """``INTSEL``: use another remote interface; this one does not answer any more then."""
    return Command(f"INTSEL {choice:d}")


def leds() -> Query[bool]:
    """``LEDS?``: whether the lamps of the front panel work."""
    return Query("LEDS?", lambda text: _switch(text, "the lamps"))


def set_leds(*, on: bool) -> Command:
    """``LEDS``: let the lamps of the front panel work, or not."""
    return Command(f"LEDS {on:d}")


def keypad_lock() -> Query[KeypadLock]:
    """``LOCK?``: whether the keys are locked, and the code."""

    def parse(text: str) -> KeypadLock:
        locked, code = fields(text, ("locked", "code"))
        return KeypadLock(_switch(locked, "locked"), integer(code, 0, 999, "the code"))

    return Query("LOCK?", parse)


def set_keypad_lock(lock: KeypadLock) -> Command:
    """``LOCK``: lock or unlock the keys."""
    return Command(f"LOCK {lock.locked:d},{_one_of(lock.code, 0, 999, 'code'):03d}")


def interface_mode() -> Query[InterfaceMode]:
    """``MODE?``: who may operate the unit."""
    return Query("MODE?", lambda text: member(InterfaceMode, text, "the mode"))


def set_interface_mode(mode: InterfaceMode) -> Command:
    """``MODE``: who may operate the unit."""
    return Command(f"MODE {mode:d}")


def monitor() -> Query[MonitorSource]:
    """``MONITOR?``: the signal on the monitor socket."""
    return Query("MONITOR?", lambda text: member(MonitorSource, text, "the source"))


def set_monitor(source: MonitorSource) -> Command:
    """``MONITOR``: put a signal on the monitor socket."""
    return Command(f"MONITOR {source:d}")


def network_settings() -> Query[tuple[str, ...]]:
    """``NET?``: DHCP, Auto-IP, address, mask, gateway, two DNS, host, domain, description."""
    return Query("NET?", lambda text: _strings(text, 10))


def set_network_settings(settings: tuple[str, ...]) -> Command:
    """``NET``: the ten fields of `network_settings`; the last three are sent quoted.

    Raises:
        ValueError: there are not ten, or one has a quote, a comma or a semicolon.
    """
    if len(settings) != 10:
        raise ValueError(f"{len(settings)} network settings were given; there are 10.")
    plain = [_plain(field) for field in settings]
    return Command(f"NET {','.join(plain[:7])}," + ",".join(f'"{field}"' for field in plain[7:]))


def network_configuration() -> Query[tuple[str, ...]]:
    """``NETID?``: state, address, mask, gateway, two DNS, MAC address, host, domain."""
    return Query("NETID?", lambda text: _strings(text, 9))


def relay(number: int) -> Query[RelaySettings]:
    """``RELAY?``: what moves relay 1 or 2."""

    def parse(text: str) -> RelaySettings:
        mode, channel, kind = fields(text, ("mode", "channel", "alarm"))
        return RelaySettings(
            member(RelayMode, mode, "the mode"),
            _channel(channel),
            integer(kind, 0, 2, "the alarm"),
        )

    return Query(f"RELAY? {_one_of(number, 1, 2, 'relay')}", parse)


def set_relay(number: int, settings: RelaySettings) -> Command:
    """``RELAY``: all that `relay` says."""
    it = settings
    kind = _one_of(it.alarm, 0, 2, "alarm")
    return Command(f"RELAY {_one_of(number, 1, 2, 'relay')},{it.mode:d},{it.channel or 0},{kind}")


def relay_state(number: int) -> Query[bool]:
    """``RELAYST?``: whether relay 1 or 2 is on."""
    return Query(
        f"RELAYST? {_one_of(number, 1, 2, 'relay')}", lambda text: _switch(text, "the relay")
    )


def web_login() -> Query[tuple[str, ...]]:
    """``WEBLOG?``: user name and password of the unit's web page."""
    return Query("WEBLOG?", lambda text: _strings(text, 2))


def set_web_login(user: str, password: str) -> Command:
    """``WEBLOG``: user name and password of the unit's web page, up to 15 characters each.

    Raises:
        ValueError: one is longer, or has a quote, a comma or a semicolon.
    """
    for text in (user, password):
        if len(text) > 15:
            raise ValueError("User name and password have up to 15 characters.")
    return Command(f'WEBLOG "{_plain(user)}","{_plain(password)}"')


def _one_of(value: int, low: int, high: int, what: str) -> int:
    if not low <= value <= high:
        raise ValueError(f"The {what} {value} is not from {low} to {high}.")
    return value


def _plain(text: str) -> str:
    if not text.isascii() or (text and not text.isprintable()) or set(text) & set('",;'):
        raise ValueError(f"{text!r} must be ASCII without quotes, commas or semicolons.")
    return text


def _switch(text: str, what: str) -> bool:
    return bool(integer(text, 0, 1, what))


def _channel(text: str) -> Channel | None:
    if text.upper() == "A":
        return "A"
    return integer(text, 0, 16, "the channel") or None


def _strings(text: str, count: int) -> tuple[str, ...]:
    try:
        found = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error:
        found = []
    if len(found) != count:
        raise BadReply(f"{count} fields were expected.")
    return tuple(printable(field, 64, "a field") for field in found)


def _parse_alarm(text: str) -> AlarmSettings:
    on, source, high, low, deadband, latching, audible, visible = fields(
        text, ("on", "source", "high", "low", "deadband", "latching", "audible", "visible")
    )
    return AlarmSettings(
        _switch(on, "on"),
        member(Units, source, "the source"),
        decimal(high, "the high value"),
        decimal(low, "the low value"),
        decimal(deadband, "the deadband"),
        _switch(latching, "latching"),
        _switch(audible, "audible"),
        _switch(visible, "visible"),
    )


def _parse_analog(text: str) -> AnalogSettings:
    polarity, mode, channel, source, high, low, manual = fields(
        text, ("polarity", "mode", "channel", "source", "high", "low", "manual value")
    )
    return AnalogSettings(
        _switch(polarity, "the polarity"),
        integer(mode, 0, 6, "the mode"),
        _channel(channel),
        member(Units, source, "the source"),
        decimal(high, "the high value"),
        decimal(low, "the low value"),
        decimal(manual, "the manual value"),
    )
