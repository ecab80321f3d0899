"""Tasks that concern the scanner of a 372: which channels it visits, for how long, where it is."""

from collections.abc import Mapping
from typing import Any

from agents.lakeshore.operations import reporting
from agents.lakeshore372.input_editor import InputEditor
from agents.lakeshore372.operation_params import input_of, is_input, is_measurement, on_or_off
from ocs.ocs_agent import OCSAgent, OpSession, param

__all__ = ["ScanOperations"]


class ScanOperations:
    """The tasks that concern the scanner.

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
            self.engage_channel,
            self.set_dwell,
            self.get_dwell,
            self.set_pause,
            self.set_autoscan,
            self.set_active_channel,
        ):
            self._agent.register_task(task.__name__, task)

    @param("channel", type=int, check=is_input)
    @param("state", cast=on_or_off, choices=["on", "off"])
    @reporting
    def engage_channel(  # noqa: D417 - its arguments are those that clients send
        self, _session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """engage_channel(channel, state)

        **Task** - Let autoscan visit a channel, or pass it over.

        Args:
            channel (int): 1 to 16; 0 is the control input.
            state (str): ``on`` or ``off``.
        """
        after = self._editor.edit_settings(input_of(params), enabled=params["state"] == "on")
        return True, f"Channel {input_of(params)} is {'on' if after.enabled else 'off'}."

    @param("channel", type=int, check=is_measurement)
    @param("dwell", type=int, check=lambda seconds: 1 <= seconds <= 200)
    @reporting
    def set_dwell(  # noqa: D417 - see above
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_dwell(channel, dwell)

        **Task** - Set how long autoscan reads a channel at each visit.

        Args:
            channel (int): 1 to 16.
            dwell (int): Seconds, 1 to 200.

        Notes:
            ``session.data`` is as of `get_dwell`.
        """
        after = self._editor.edit_settings(params["channel"], dwell_s=params["dwell"])
        session.data = {"dwell_time": after.dwell_s}
        return True, f"Channel {params['channel']} has a dwell of {after.dwell_s} s."

    @param("channel", type=int, check=is_measurement)
    @reporting
    def get_dwell(  # noqa: D417 - see above
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """get_dwell(channel)

        **Task** - Tell how long autoscan reads a channel at each visit.

        Args:
            channel (int): 1 to 16.

        Notes:
            ``session.data``::

                {"dwell_time": 10}
        """
        settings = self._editor.settings(params["channel"])
        session.data = {"dwell_time": settings.dwell_s}
        return True, f"Channel {params['channel']} has a dwell of {settings.dwell_s} s."

    @param("channel", type=int, check=is_measurement)
    @param("pause", type=int, check=lambda seconds: 3 <= seconds <= 200)
    @reporting
    def set_pause(  # noqa: D417 - see above
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_pause(channel, pause)

        **Task** - Set how long a channel settles after the scanner has come to it.

        Args:
            channel (int): 1 to 16.
            pause (int): Seconds, 3 to 200.

        Notes:
            ``session.data``::

                {"pause_time": 3}
        """
        after = self._editor.edit_settings(params["channel"], pause_s=params["pause"])
        session.data = {"pause_time": after.pause_s}
        return True, f"Channel {params['channel']} has a change pause of {after.pause_s} s."

    @param("autoscan", cast=on_or_off, choices=["on", "off"])
    @reporting
    def set_autoscan(  # noqa: D417 - see above
        self, _session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_autoscan(autoscan)

        **Task** - Let the scanner go round the channels that are on, or stay.

        Args:
            autoscan (bool): True to go round.
        """
        after = self._editor.set_scan(autoscan=params["autoscan"] == "on")
        return True, f"Set autoscan to {after.autoscan}; the scanner is at channel {after.channel}."

    @param("channel", type=int, check=is_measurement)
    @reporting
    def set_active_channel(  # noqa: D417 - see above
        self, _session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_active_channel(channel)

        **Task** - Send the scanner to a channel. With autoscan on it goes on from there.

        Args:
            channel (int): 1 to 16.
        """
        after = self._editor.set_scan(params["channel"])
        return True, f"The scanner is at channel {after.channel}."
