"""The task that applies a settings file to a 372."""

import threading
from collections.abc import Mapping
from typing import Any

from agents.lakeshore.link import InstrumentLink, Refused
from agents.lakeshore.messages import identify
from agents.lakeshore.operations import reporting
from agents.lakeshore.transports import check
from agents.lakeshore372.input_editor import InputEditor
from agents.lakeshore372.settings_file import (
    SettingsError,
    UnitPlan,
    find_settings,
    load_settings,
)
from ocs.ocs_agent import OCSAgent, OpSession, param

__all__ = ["SettingsOperations"]


class SettingsOperations:
    """Applies settings files.

    Args:
        agent: the OCS agent that offers the task.
        driver: speaks with the unit.
        editor: changes the unit's inputs.
        configfile: the file to use when none is named; None if there is none.
    """

    def __init__(
        self,
        agent: OCSAgent,
        driver: InstrumentLink,
        editor: InputEditor,
        configfile: str | None,
    ) -> None:
        self._agent = agent
        self._driver = driver
        self._editor = editor
        self._configfile = configfile
        self.pending = configfile is not None
        """Whether the file of the command line has still to be applied."""
        self.trouble: str | None = None
        """Why the last try to apply a file failed; None if it did not."""

    def register(self) -> None:
        """Offer the task."""
        self._agent.register_task("input_configfile", self.input_configfile)

    @param("configfile", default=None, type=str)
    @reporting
    def input_configfile(  # noqa: D417 - its arguments are those that clients send
        self, _session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """input_configfile(configfile=None)

        **Task** - Set all channels up as a file wants it. The whole file is checked before
        anything is sent; every setting is read back.

        Args:
            configfile (str): Path, a relative one from ``$OCS_CONFIG_DIR``; by default the file
                of the command line.
        """
        return True, self.apply(params["configfile"])

    def apply(self, name: str | None = None, cancel: threading.Event | None = None) -> str:
        """Apply a file and return a sentence about it.

        Args:
            name: its path, see `find_settings`; None is the file of the command line.
            cancel: set by another thread to have this call end soon.

        Raises:
            SettingsError: there is something wrong with the file; nothing was sent.
            Refused: the unit has not taken some of it; the message says what.
            InstrumentUnavailable, BadReply, WrongInstrument, Cancelled: as the driver does.
        """
        chosen = name or self._configfile
        if chosen is None:
            raise SettingsError(
                "No settings file is named: send configfile, or start the Agent with --configfile."
            )
        try:
            sentence = self._apply(chosen, cancel)
        except (SettingsError, Refused) as error:
            self.pending = False
            self.trouble = f"The settings file is not in force: {error}"
            raise
        self.pending = False
        self.trouble = None
        return sentence

    def apply_pending(self, cancel: threading.Event) -> str:
        """Apply the file of the command line; as `apply`, but what is wrong with it is told.

        Raises:
            InstrumentUnavailable, BadReply, WrongInstrument, Cancelled: as the driver does.
        """
        try:
            return self.apply(None, cancel)
        except (SettingsError, Refused):
            return str(self.trouble)

    def _apply(self, name: str, cancel: threading.Event | None) -> str:
        path = find_settings(name)
        units = load_settings(path)
        serial = self._driver.ask(identify(), cancel).serial
        plan = units.get(serial) or units.get(serial.split("/")[0])
        if plan is None:
            raise SettingsError(
                f"{path} has nothing for the unit with serial number {serial}, only for "
                f"{', '.join(units)}."
            )
        refusals = self._send(plan, cancel)
        if refusals:
            raise Refused(f"{path} is applied but for this: {' '.join(refusals)}")
        return f"{path} is applied to {len(plan.channels)} channels of {serial}."

    def _send(self, plan: UnitPlan, cancel: threading.Event | None) -> list[str]:
        """Send everything, also after a refusal; return what was refused."""
        refusals = []
        for channel, wanted in plan.channels.items():
            # Sixteen channels take ten seconds.
            check(cancel)
            try:
                self._editor.apply(channel, wanted)
            except Refused as error:
                refusals.append(str(error))
        try:
            self._editor.set_scan(autoscan=plan.autoscan)
        except Refused as error:
            refusals.append(str(error))
        return refusals
