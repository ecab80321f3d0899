"""Change how a channel is measured: ask, change what is wanted, send the whole, ask again."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import attrs

from agents.lakeshore.curve_guard import CurveGuard
from agents.lakeshore.curves import CurveUnfit
from agents.lakeshore.link import InstrumentLink, Refused
from agents.lakeshore.messages import Command, Query
from agents.lakeshore372 import codec, input_codec
from agents.lakeshore372.codec import ScanState
from agents.lakeshore372.input_tables import (
    MEASUREMENT_CHANNELS,
    RESISTANCE_RANGE_OHM,
    Autorange,
    Channel,
    InputMode,
    InputSettings,
    InputSetup,
    combination_exists,
    excitation_steps,
    fitting_ranges,
    label,
    nearest_step,
)
from agents.lakeshore372.settings_file import ChannelPlan

__all__ = ["InputEditor"]

T = TypeVar("T")

_WORDS = {
    "enabled": "enabled",
    "dwell_s": "dwell in s",
    "pause_s": "change pause in s",
    "curve": "curve",
    "coefficient": "temperature coefficient",
    "mode": "excitation mode",
    "excitation": "excitation step",
    "autorange": "autorange",
    "resistance_range": "range step",
    "units": "units",
}


class InputEditor:
    """Changes a unit's inputs, and believes only what the unit says afterwards.

    Args:
        driver: speaks with the unit.
        on_change: called after every change to a channel or to the scanner.
    """

    def __init__(self, driver: InstrumentLink, on_change: Callable[[], None]) -> None:
        self._driver = driver
        self._on_change = on_change
        # A set is asked for and sent back whole: two of them at once would undo each other.
        self._editing = threading.Lock()
        self._curves = CurveGuard("location")

    def settings(self, channel: Channel) -> InputSettings:
        """Ask how the scanner treats a channel."""
        return self._driver.ask(input_codec.input_settings(channel))

    def setup(self, channel: Channel) -> InputSetup:
        """Ask how a channel is excited and measured."""
        return self._driver.ask(input_codec.input_setup(channel))

    def name(self, channel: Channel) -> str:
        """Ask for a channel's name."""
        return self._driver.ask(input_codec.input_name(channel))

    def scan_state(self) -> ScanState:
        """Ask where the scanner is."""
        return self._driver.ask(codec.scan_state())

    def edit_settings(self, channel: Channel, **changes: Any) -> InputSettings:
        """Change some of a channel's `InputSettings`; return all of them as the unit has them.

        Raises:
            Refused: the unit has not taken them.
        """
        with self._editing:
            wanted = attrs.evolve(self.settings(channel), **changes)
            command = input_codec.set_input_settings(channel, wanted)
            after = self._change(command, input_codec.input_settings(channel))
        _compare(channel, after, changes)
        return after

    def edit_setup(self, channel: Channel, **changes: Any) -> InputSetup:
        """Change some of a channel's `InputSetup`; return all of it as the unit has it.

        Raises:
            Refused: the unit cannot work so, or has not taken it.
        """
        with self._editing:
            wanted = attrs.evolve(self.setup(channel), **changes)
            return self._send_setup(channel, wanted, changes)

    def set_mode(self, channel: int, mode: InputMode) -> InputSetup:
        """Excite a channel by voltage or by current, about as strongly as before.

        The same step of the other table could be a million times as much; the one that sends the
        same current through the sensor in the present range is taken instead.
        """
        with self._editing:
            before = self.setup(channel)
            if before.mode is mode:
                return before
            # Voltage step v, current step i and range step r: v = i + r - 19.
            offset = before.resistance_range - 19
            step = before.excitation + (offset if mode is InputMode.VOLTAGE else -offset)
            wanted = attrs.evolve(before, mode=mode, excitation=step)
            return self._send_setup(channel, wanted, {"mode": mode, "excitation": step})

    def set_excitation(self, channel: int, value: float) -> InputSetup:
        """Set the excitation step nearest to a value in the units of the channel's mode.

        A range that does not go with it is changed too if autorange is on.

        Raises:
            Refused: the range does not go with it, and autorange is off.
        """
        with self._editing:
            before = self.setup(channel)
            step = nearest_step(excitation_steps(before.mode, channel), value)
            wanted = attrs.evolve(before, excitation=step)
            return self._send_setup(channel, _fitting(wanted), {"excitation": step})

    def apply(self, channel: int, plan: ChannelPlan) -> None:
        """Set a channel up as a settings file wants it.

        Raises:
            Refused: the unit has not taken some of it.
        """
        setup: dict[str, Any] = {"mode": plan.mode, "excitation": plan.excitation}
        setup["autorange"] = Autorange.CURRENT if plan.autorange else Autorange.OFF
        if plan.resistance_range is not None:
            setup["resistance_range"] = plan.resistance_range
        with self._editing:
            wanted = attrs.evolve(self.setup(channel), **setup)
            self._send_setup(channel, _fitting(wanted), setup)
        settings: dict[str, Any] = {
            "enabled": plan.enabled,
            "dwell_s": plan.dwell_s,
            "pause_s": plan.pause_s,
        }
        if not plan.curve:
            settings["coefficient"] = plan.coefficient
        # First the curve: as long as there is one the unit takes no coefficient.
        self.set_curve(channel, plan.curve)
        self.edit_settings(channel, **settings)

    def set_curve(self, channel: Channel, curve: int) -> InputSettings:
        """Assign a curve to a channel, 0 for none.

        Raises:
            Refused: there is no such curve on the unit, or it is not whole; the channel keeps the
                one it had.
        """
        with self._editing:
            if not self._curves.is_whole(curve):
                raise Refused(
                    f"Curve {curve} is being written, or writing it has failed halfway: it gives "
                    "wrong temperatures. Wait for the end, or write it again (upload_cal_curve)."
                )
            before = self.settings(channel)
            if before.curve == curve:
                return before
            command = input_codec.set_input_settings(channel, attrs.evolve(before, curve=curve))
            readback = input_codec.input_settings(channel)
            after = self._change(command, readback)
            if after.curve == curve:
                return after
            # The unit leaves a channel without any curve if it is given an empty one.
            restored = self._change(input_codec.set_input_settings(channel, before), readback)
        raise Refused(
            f"Channel {channel}: the unit has not taken curve {curve}; there is probably none in "
            f"that place. The channel has curve {restored.curve}, as the unit says (0 is none)."
        )

    @contextmanager
    def curve_changing(self, curve: int) -> Iterator[None]:
        """Have a curve that no channel uses not be assigned to one while it changes.

        If that ends with `CurveIncomplete`, it cannot be assigned until it has been written whole.

        Raises:
            CurveUnfit: a channel uses it.
            TransferRunning: it is being changed already.
        """
        with ExitStack() as changing:
            with self._editing:
                self._require_unused(curve)
                changing.enter_context(self._curves.changing(curve))
            yield

    def set_name(self, channel: Channel, name: str) -> str:
        """Give a channel a name; return the one the unit has.

        Raises:
            ValueError: the unit cannot take such a name.
            Refused: it has not taken it.
        """
        command = input_codec.set_input_name(channel, name)
        after = self._change(command, input_codec.input_name(channel))
        if after != name.strip(" "):
            raise Refused(f"Channel {channel} keeps the name {after!r}, not {name!r}.")
        return after

    def set_scan(self, channel: int | None = None, *, autoscan: bool | None = None) -> ScanState:
        """Send the scanner to a channel, or switch autoscan; None leaves what there is.

        Raises:
            Refused: the unit has not taken it.
        """
        with self._editing:
            before = self.scan_state()
            there = before.channel if channel is None else channel
            moving = before.autoscan if autoscan is None else autoscan
            after = self._change(codec.set_scan(there, autoscan=moving), codec.scan_state())
        # A moving scanner may have gone on by itself already.
        if after.autoscan != moving or (channel is not None and after.channel != channel):
            raise Refused(
                f"The scanner was told channel {there}, autoscan {_on(moving)}; the unit says "
                f"channel {after.channel}, autoscan {_on(after.autoscan)}. Is there a scanner with "
                "that channel?"
            )
        return after

    def _require_unused(self, curve: int) -> None:
        channels: tuple[Channel, ...] = ("A", *MEASUREMENT_CHANNELS)
        users = [str(channel) for channel in channels if self.settings(channel).curve == curve]
        if users:
            raise CurveUnfit(
                f"Curve {curve} is in use by channel {', '.join(users)}, whose temperatures would "
                "be wrong meanwhile. Write to another curve and assign that one "
                "(set_calibration_curve)."
            )

    def _send_setup(
        self, channel: Channel, wanted: InputSetup, changes: Mapping[str, Any]
    ) -> InputSetup:
        if channel != "A" and not combination_exists(
            wanted.mode, wanted.excitation, wanted.resistance_range
        ):
            raise Refused(_unfit(channel, wanted))
        command = input_codec.set_input_setup(channel, wanted)
        after = self._change(command, input_codec.input_setup(channel))
        if after.autorange is not Autorange.OFF:
            # Autorange may have moved on already.
            changes = {key: value for key, value in changes.items() if key != "resistance_range"}
        _compare(channel, after, changes)
        return after

    def _change(self, command: Command, readback: Query[T]) -> T:
        try:
            return self._driver.change(command, readback)
        finally:
            self._on_change()


def _on(state: bool) -> str:
    return "on" if state else "off"


def _fitting(wanted: InputSetup) -> InputSetup:
    """Return a setup whose range goes with its excitation, if autorange is free to choose it."""
    if wanted.autorange is Autorange.OFF:
        return wanted
    ranges = fitting_ranges(wanted.mode, wanted.excitation)
    nearest = min(ranges, key=lambda step: abs(step - wanted.resistance_range))
    return attrs.evolve(wanted, resistance_range=nearest)


def _unfit(channel: Channel, wanted: InputSetup) -> str:
    steps = excitation_steps(wanted.mode, channel)
    ranges = fitting_ranges(wanted.mode, wanted.excitation)
    return (
        f"Channel {channel}: the range {label(RESISTANCE_RANGE_OHM[wanted.resistance_range], 'Ω')} "
        f"does not go with an excitation of "
        f"{label(steps[wanted.excitation], wanted.excitation_unit)}: "
        f"{label(RESISTANCE_RANGE_OHM[ranges[0]], 'Ω')} to "
        f"{label(RESISTANCE_RANGE_OHM[ranges[-1]], 'Ω')} do. Nothing was changed."
    )


def _compare(
    channel: Channel, after: InputSettings | InputSetup, changes: Mapping[str, Any]
) -> None:
    """Refuse to go on if the unit has not taken what it was told.

    Raises:
        Refused: the message says what it was told and what it has.
    """
    different = {
        _WORDS[key]: (value, getattr(after, key))
        for key, value in changes.items()
        if getattr(after, key) != value
    }
    if different:
        told = ", ".join(f"{word} {_say(value)}" for word, (value, _) in different.items())
        has = ", ".join(f"{word} {_say(value)}" for word, (_, value) in different.items())
        raise Refused(f"Channel {channel}: the unit was told {told}, but has {has}.")


def _say(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    name = getattr(value, "name", None)
    return str(value) if name is None else str(name).lower()
