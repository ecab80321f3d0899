"""Tasks of the 240 Agent for calibration curves: upload, download, delete."""

from collections.abc import Mapping, Sequence
from typing import Any

from agents.lakeshore.curve_tasks import CurveTasks
from agents.lakeshore.operations import reporting
from agents.lakeshore240.driver import LS240_CURVES
from agents.lakeshore240.module import Module
from agents.lakeshore240.targets import find_target
from ocs.ocs_agent import OCSAgent, OpSession, param

__all__ = ["CurveOperations"]


class CurveOperations:
    """Curve tasks of 240 modules, whose inputs each have a curve of their own.

    Args:
        agent: where they are registered.
        modules: the modules; where there are several, tasks name one by its serial number.
    """

    def __init__(self, agent: OCSAgent, modules: Sequence[Module]) -> None:
        self._agent = agent
        self._modules = modules
        self._tasks = {
            module.block_name: CurveTasks(module.driver, LS240_CURVES) for module in modules
        }

    def register(self) -> None:
        """Offer the tasks to clients."""
        for name, task in (
            ("upload_cal_curve", self.upload_cal_curve),
            ("download_cal_curve", self.download_cal_curve),
            ("delete_cal_curve", self.delete_cal_curve),
        ):
            self._agent.register_task(name, task, aborter=self._abort)

    @param("channel", type=int)
    @param("filename", type=str)
    @param("overwrite", default=True, type=bool)
    @param("dry_run", default=False, type=bool)
    @param("module", default=None, type=str)
    @reporting
    def upload_cal_curve(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """upload_cal_curve(channel, filename, overwrite=True, dry_run=False, module=None)

        **Task** - Write a calibration file to an input's curve and read it back. The input's
        temperature is NaN meanwhile, and stays so if writing fails halfway; all others go on.

        Args:
            channel (int): 1 to 8 (1 to 2 of a 240-2P).
            filename (str): A .340, .cal, .34A or .cof file that the Agent can read.
            overwrite (bool): Replace the curve that is there.
            dry_run (bool): Check everything and change nothing.
            module (str): Serial number, if the Agent has several modules.

        Notes:
            ``session.data`` meanwhile::

                {"location": 3, "phase": "writing", "done": 17, "total": 150}
        """
        module, channel = find_target(self._modules, params)
        tasks, filename = self._tasks[module.block_name], params["filename"]
        if params["dry_run"]:
            return True, tasks.check(channel, filename, overwrite=params["overwrite"])
        with module.curves.changing(channel):
            overwrite = params["overwrite"]
            return True, tasks.upload(session, channel, filename, overwrite=overwrite)

    @param("channel", type=int)
    @param("filename", type=str)
    @param("module", default=None, type=str)
    @reporting
    def download_cal_curve(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """download_cal_curve(channel, filename, module=None)

        **Task** - Write an input's curve to a new .340 file.

        Args:
            channel (int): 1 to 8 (1 to 2 of a 240-2P).
            filename (str): Where the Agent writes it; no file may be there.
            module (str): Serial number, if the Agent has several modules.
        """
        module, channel = find_target(self._modules, params)
        return True, self._tasks[module.block_name].download(session, channel, params["filename"])

    @param("channel", type=int)
    @param("module", default=None, type=str)
    @reporting
    def delete_cal_curve(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """delete_cal_curve(channel, module=None)

        **Task** - Empty an input's curve. Its temperature is NaN afterwards.

        Args:
            channel (int): 1 to 8 (1 to 2 of a 240-2P).
            module (str): Serial number, if the Agent has several modules.
        """
        module, channel = find_target(self._modules, params)
        with module.curves.changing(channel):
            return True, self._tasks[module.block_name].delete(session, channel)

    def _abort(self, session: OpSession, params: object) -> tuple[bool, str]:
        """End what runs: clients cannot say at which module."""
        for tasks in self._tasks.values():
            tasks.abort(session, params)
        return True, "Asked the transfer to end."
