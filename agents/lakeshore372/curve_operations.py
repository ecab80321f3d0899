"""Tasks of the 372 Agent for calibration curves: upload, download, delete."""

from collections.abc import Mapping
from typing import Any

from agents.lakeshore.curve_tasks import CurveTasks
from agents.lakeshore.curves import CurveFormat, CurveLocations, CurveUnfit
from agents.lakeshore.link import InstrumentLink
from agents.lakeshore.operations import reporting
from agents.lakeshore372.input_editor import InputEditor
from ocs.ocs_agent import OCSAgent, OpSession, param

__all__ = ["LS372_CURVES", "CurveOperations"]

LS372_CURVES = CurveLocations(
    locations=range(21, 60),
    word="curve",
    formats=(CurveFormat.OHMS, CurveFormat.LOG_OHMS, CurveFormat.OHMS_SPLINE),
    quoted=True,
    # With the 50 ms after every command this makes 65: at 50 a unit loses points now and then.
    pause_s=0.015,
)
"""Curves that a 372 lets us write; 1 to 20 are the maker's."""


class CurveOperations:
    """Curve tasks of a 372.

    Args:
        agent: where they are registered.
        driver: the unit.
        editor: changes its inputs, which use the curves.
    """

    def __init__(self, agent: OCSAgent, driver: InstrumentLink, editor: InputEditor) -> None:
        self._agent = agent
        self._editor = editor
        self._tasks = CurveTasks(driver, LS372_CURVES)

    def register(self) -> None:
        """Offer the tasks to clients."""
        for name, task in (
            ("upload_cal_curve", self.upload_cal_curve),
            ("download_cal_curve", self.download_cal_curve),
            ("delete_cal_curve", self.delete_cal_curve),
        ):
            self._agent.register_task(name, task, aborter=self._tasks.abort)

    @param("curve_number", type=int)
    @param("filename", type=str)
    @param("overwrite", default=False, type=bool)
    @param("dry_run", default=False, type=bool)
    @reporting
    def upload_cal_curve(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """upload_cal_curve(curve_number, filename, overwrite=False, dry_run=False)

        **Task** - Write a calibration file to a curve of the unit and read it back. Readings go
        on meanwhile; a curve that a channel uses is refused, as its temperatures would be wrong
        until the end. For the same reason none can be assigned that is not written whole.

        Args:
            curve_number (int): 21 to 59.
            filename (str): A .340, .cal, .34A, .curve or .cof file that the Agent can read.
            overwrite (bool): Replace the curve that is there.
            dry_run (bool): Check everything and change nothing.
        """
        number = LS372_CURVES.require(params["curve_number"])
        filename, overwrite = params["filename"], params["overwrite"]
        if params["dry_run"]:
            return True, self._tasks.check(number, filename, overwrite=overwrite)
        with self._editor.curve_changing(number):
            return True, self._tasks.upload(session, number, filename, overwrite=overwrite)

    @param("curve_number", type=int)
    @param("filename", type=str)
    @reporting
    def download_cal_curve(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """download_cal_curve(curve_number, filename)

        **Task** - Write a curve of the unit to a new .340 file.

        Args:
            curve_number (int): 1 to 59.
            filename (str): Where the Agent writes it; no file may be there.
        """
        number = params["curve_number"]
        if not 1 <= number <= LS372_CURVES.locations[-1]:
            raise CurveUnfit(f"There is no curve {number}; there are 1 to 59.")
        return True, self._tasks.download(session, number, params["filename"])

    @param("curve_number", type=int)
    @reporting
    def delete_cal_curve(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """delete_cal_curve(curve_number)

        **Task** - Empty a curve of the unit. A curve that a channel uses is refused.

        Args:
            curve_number (int): 21 to 59.
        """
        number = LS372_CURVES.require(params["curve_number"])
        with self._editor.curve_changing(number):
            return True, self._tasks.delete(session, number)
