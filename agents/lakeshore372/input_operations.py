"""Tasks that change or tell how the inputs of a 372 are measured."""

import math
from collections.abc import Mapping
from typing import Any

from agents.lakeshore.operations import reporting
from agents.lakeshore372.input_editor import InputEditor
from agents.lakeshore372.input_tables import (
    RESISTANCE_RANGE_OHM,
    Autorange,
    Channel,
    InputMode,
    InputSetup,
    excitation_steps,
    label,
    nearest_step,
)
from agents.lakeshore372.operation_params import input_of, is_input, is_measurement, on_or_off
from ocs.ocs_agent import OCSAgent, OpSession, param

__all__ = ["InputOperations"]

_MODES = {"voltage": InputMode.VOLTAGE, "current": InputMode.CURRENT}
_AUTORANGE = {Autorange.OFF: "off", Autorange.CURRENT: "on", Autorange.ROX_102B: "ROX 102B"}


def _is_positive(value: float) -> bool:
    return 0 < value < math.inf


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class InputOperations:
    """The tasks that concern excitation, range, curve and name of an input.

    Args:
        agent: the OCS agent that offers them.
        editor: changes the unit's inputs.
    """

    def __init__(self, agent: OCSAgent, editor: InputEditor) -> None:
        self._agent = agent
        self._editor = editor

    def register(self) -> None:
        """Offer all tasks."""
        for task in (
            self.set_excitation_mode,
            self.set_excitation,
            self.get_excitation,
            self.set_resistance_range,
            self.get_resistance_range,
            self.set_name,
            self.engage_autorange,
            self.set_calibration_curve,
            self.get_input_setup,
        ):
            self._agent.register_task(task.__name__, task)

    @param("channel", type=int, check=is_measurement)
    @param("mode", cast=_lower, choices=list(_MODES))
    @reporting
    def set_excitation_mode(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_excitation_mode(channel, mode)

        **Task** - Excite a channel's sensor by voltage or by current. The strength stays about
        what it was: the step is taken that sends the same current in the present range.

        Args:
            channel (int): 1 to 16.
            mode (str): ``voltage`` or ``current``.

        Notes:
            ``session.data`` is as of `get_excitation`.
        """
        channel = params["channel"]
        setup = self._editor.set_mode(channel, _MODES[params["mode"]])
        return True, f"Channel {channel} is excited {_excitation(session, channel, setup)}."

    @param("channel", type=int, check=is_measurement)
    @param("value", type=float, check=_is_positive)
    @reporting
    def set_excitation(  # noqa: D417 - see above
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_excitation(channel, value)

        **Task** - Set a channel's excitation to the step nearest to a value.

        Args:
            channel (int): 1 to 16.
            value (float): Volts or amperes, by the channel's excitation mode.

        Notes:
            ``session.data`` is as of `get_excitation`. Refused if the channel's range does not
            go with it, unless autorange is on.
        """
        channel = params["channel"]
        setup = self._editor.set_excitation(channel, params["value"])
        asked = f"{params['value']:g} {setup.excitation_unit}"
        return True, (
            f"Channel {channel} is excited {_excitation(session, channel, setup)}; {asked} was "
            "asked for."
        )

    @param("channel", type=int, check=is_measurement)
    @reporting
    def get_excitation(  # noqa: D417 - see above
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """get_excitation(channel)

        **Task** - Tell a channel's excitation.

        Args:
            channel (int): 1 to 16.

        Notes:
            ``session.data``::

                {"excitation": 6.32e-05, "mode": "voltage", "excitation_units": "volts"}
        """
        channel = params["channel"]
        setup = self._editor.setup(channel)
        return True, f"Channel {channel} is excited {_excitation(session, channel, setup)}."

    @param("channel", type=int, check=is_measurement)
    @param("resistance_range", type=float, check=_is_positive)
    @reporting
    def set_resistance_range(  # noqa: D417 - see above
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_resistance_range(channel, resistance_range)

        **Task** - Set a channel's range to the step nearest to a value. With autorange on the
        unit may change it again.

        Args:
            channel (int): 1 to 16.
            resistance_range (float): Ohms.

        Notes:
            ``session.data`` is as of `get_resistance_range`. Refused if the excitation does not
            go with it.
        """
        channel = params["channel"]
        step = nearest_step(RESISTANCE_RANGE_OHM, params["resistance_range"])
        setup = self._editor.edit_setup(channel, resistance_range=step)
        told = _range(session, channel, setup)
        if setup.autorange is not Autorange.OFF:
            told += " Autorange is on: the unit may choose another one."
        return True, told

    @param("channel", type=int, check=is_measurement)
    @reporting
    def get_resistance_range(  # noqa: D417 - see above
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """get_resistance_range(channel)

        **Task** - Tell a channel's range.

        Args:
            channel (int): 1 to 16.

        Notes:
            ``session.data``::

                {"resistance_range": 2000.0}
        """
        return True, _range(session, params["channel"], self._editor.setup(params["channel"]))

    @param("channel", type=int, check=is_input)
    @param("name", type=str)
    @reporting
    def set_name(  # noqa: D417 - see above
        self, _session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_name(channel, name)

        **Task** - Name a channel. Its fields in the feed have that name from then on.

        Args:
            channel (int): 1 to 16; 0 is the control input.
            name (str): Up to 15 characters without quotes, commas or semicolons.
        """
        try:
            after = self._editor.set_name(input_of(params), params["name"])
        except ValueError as error:
            return False, str(error)
        return True, f"Channel {input_of(params)} is called {after!r}."

    @param("channel", type=int, check=is_input)
    @param("state", cast=on_or_off, choices=["on", "off"])
    @reporting
    def engage_autorange(  # noqa: D417 - see above
        self, _session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """engage_autorange(channel, state)

        **Task** - Let the unit choose a channel's range, or keep the present one.

        Args:
            channel (int): 1 to 16; 0 is the control input.
            state (str): ``on`` or ``off``.
        """
        wanted = Autorange.CURRENT if params["state"] == "on" else Autorange.OFF
        after = self._editor.edit_setup(input_of(params), autorange=wanted)
        return True, f"Autorange of channel {input_of(params)} is {_AUTORANGE[after.autorange]}."

    @param("channel", type=int, check=is_input)
    @param("curve_number", type=int, check=lambda number: 0 <= number <= 59)
    @reporting
    def set_calibration_curve(  # noqa: D417 - see above
        self, _session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_calibration_curve(channel, curve_number)

        **Task** - Assign a calibration curve to a channel.

        Args:
            channel (int): 1 to 16; 0 is the control input.
            curve_number (int): 21 to 59 the site's curves, 1 to 20 the maker's, 0 for none.

        Notes:
            Refused if there is no curve of that number on the unit; the channel keeps the one it
            had.
        """
        after = self._editor.set_curve(input_of(params), params["curve_number"])
        return True, f"Channel {input_of(params)} has curve {after.curve}."

    @param("channel", type=int, check=is_input)
    @reporting
    def get_input_setup(  # noqa: D417 - see above
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """get_input_setup(channel)

        **Task** - Tell all settings of a channel.

        Args:
            channel (int): 1 to 16; 0 is the control input.

        Notes:
            ``session.data``::

                {"mode": "voltage", "excitation": 6.32e-05, "excitation_units": "volts",
                 "autorange": "on", "range": 2000.0, "csshunt": "on", "units": "kelvin",
                 "enabled": True, "dwell_time": 10, "pause_time": 3, "curve_number": 21,
                 "temperature_coefficient": "negative", "name": "Channel 01"}

            ``csshunt`` is ``on`` while the sensor is excited.
        """
        channel = input_of(params)
        setup = self._editor.setup(channel)
        settings = self._editor.settings(channel)
        excitation = _excitation(session, channel, setup)
        resistance_range = RESISTANCE_RANGE_OHM.get(setup.resistance_range)
        session.data = {
            **session.data,
            "autorange": _AUTORANGE[setup.autorange],
            "range": None if channel == "A" else resistance_range,
            "csshunt": "on" if setup.excitation_on else "off",
            "units": setup.units.name.lower(),
            "enabled": settings.enabled,
            "dwell_time": settings.dwell_s,
            "pause_time": settings.pause_s,
            "curve_number": settings.curve,
            "temperature_coefficient": settings.coefficient.name.lower(),
            "name": self._editor.name(channel),
        }
        return True, (
            f"Channel {channel} is excited {excitation}, autorange {_AUTORANGE[setup.autorange]}, "
            f"curve {settings.curve}, dwell {settings.dwell_s} s, pause {settings.pause_s} s."
        )


def _excitation(session: OpSession, channel: Channel, setup: InputSetup) -> str:
    """Put a channel's excitation into the session's data and say it."""
    value = excitation_steps(setup.mode, channel)[setup.excitation]
    mode = setup.mode.name.lower()
    units = "volts" if setup.mode is InputMode.VOLTAGE else "amps"
    session.data = {"excitation": value, "mode": mode, "excitation_units": units}
    return f"by {mode}, {label(value, setup.excitation_unit)}"


def _range(session: OpSession, channel: int, setup: InputSetup) -> str:
    """Put a channel's range into the session's data and say it."""
    ohms = RESISTANCE_RANGE_OHM[setup.resistance_range]
    session.data = {"resistance_range": ohms}
    return f"The range of channel {channel} is {label(ohms, 'Ω')}."
