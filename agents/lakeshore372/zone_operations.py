"""Tasks about the temperature zones by which an output in mode Zone sets itself."""

from collections.abc import Mapping
from typing import Any

import attrs

from agents.lakeshore.link import InstrumentLink
from agents.lakeshore.operations import reporting
from agents.lakeshore372 import loop_codec
from agents.lakeshore372.limits import Limits
from agents.lakeshore372.output_checks import same
from agents.lakeshore372.output_params import HEATERS, LOOPS, heater_name, range_step, range_value
from agents.lakeshore372.output_tables import OUTPUT_NAMES, Output, PidTerms, Zone, range_text
from agents.lakeshore372.outputs import Outputs
from ocs.ocs_agent import OCSAgent, OpSession, param

__all__ = ["ZoneOperations"]


class ZoneOperations:
    """Tasks that ask for and set zones.

    Args:
        agent: the OCS agent they live in.
        driver: speaks with the unit.
        limits: what the site allows.
    """

    def __init__(self, agent: OCSAgent, driver: InstrumentLink, limits: Limits) -> None:
        self._agent = agent
        self._limits = limits
        self._outputs = Outputs(driver, limits)

    def register(self) -> None:
        """Offer the tasks to clients."""
        self._agent.register_task("get_zone", self.get_zone)
        self._agent.register_task("set_zone", self.set_zone)

    @param("zone", type=int, choices=range(1, 11))
    @param("heater", default="sample", cast=heater_name, choices=LOOPS)
    @reporting
    def get_zone(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """get_zone(zone, heater='sample')

        **Task** - Ask for the settings of a temperature zone.

        Args:
            zone (int): 1 to 10.
            heater (str): 'sample' or 'warmup'.

        Notes:
            ``session.data``::

                {"zone": 1, "upper": 0.1, "P": 40.0, "I": 2.0, "D": 0.0, "output": 0.0,
                 "range": 0.001, "rate": 0.1, "relay1": 0, "relay2": 0}

            The upper bound is in K, the output in percent, the range in A (or on and off), the
            ramp's rate in K/min.
        """
        output = HEATERS[params["heater"]]
        zone = self._outputs.ask(loop_codec.zone(output, params["zone"]))
        return _tell(session, params["zone"], output, zone)

    @param("zone", type=int, choices=range(1, 11))
    @param("upper", type=float, check=lambda kelvin: 0 <= kelvin <= 1000)
    @param("P", type=float, check=lambda value: 0 <= value <= 1000)
    @param("I", type=float, check=lambda value: 0 <= value <= 10000)
    @param("D", type=float, check=lambda value: 0 <= value <= 2500)
    @param("range")
    @param("output", default=0.0, type=float, check=lambda percent: 0 <= percent <= 100)
    @param("rate", default=0.0, type=float, check=lambda rate: rate == 0 or 0.001 <= rate <= 100)
    @param("relay1", default=0, type=int, choices=[0, 1])
    @param("relay2", default=0, type=int, choices=[0, 1])
    @param("heater", default="sample", cast=heater_name, choices=LOOPS)
    @reporting
    def set_zone(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_zone(zone, upper, P, I, D, range, output=0, rate=0, ...)

        **Task** - Say what holds in mode Zone for setpoints up to a bound.

        Args:
            zone (int): 1 to 10.
            upper (float): Highest setpoint in kelvin that it is for.
            P (float): 0 to 1000.
            I (float): 0 to 10000.
            D (float): 0 to 2500.
            range (float or str): As of ``set_heater_range``.
            output (float): Manual output in percent.
            rate (float): Ramp in K/min, 0.001 to 100; 0 goes at once.
            relay1 (int): 0 off, 1 on.
            relay2 (int): 0 off, 1 on.
            heater (str): 'sample' or 'warmup'.

        Notes:
            ``session.data`` as of ``get_zone``.
        """
        output = HEATERS[params["heater"]]
        wanted = Zone(
            upper_k=params["upper"],
            pid=PidTerms(params["P"], params["I"], params["D"]),
            manual_percent=params["output"],
            heater_range=range_step(output, params["range"]),
            ramp_k_per_min=params["rate"],
            relay_1=params["relay1"],
            relay_2=params["relay2"],
        )
        if output == Output.SAMPLE:
            heater = self._outputs.state(output).heater
            self._limits.check_range(wanted.heater_range, heater.resistance_ohm)
        else:
            self._limits.check_warm_up(wanted.manual_percent)
        after = self._outputs.confirm(
            loop_codec.set_zone(output, params["zone"], wanted),
            loop_codec.zone(output, params["zone"]),
            lambda zone: _same_zone(zone, wanted),
            f"these settings of zone {params['zone']} of the {OUTPUT_NAMES[output]}",
        )
        return _tell(session, params["zone"], output, after)


def _same_zone(zone: Zone, wanted: Zone) -> bool:
    return all(map(same, _numbers(zone), _numbers(wanted)))


def _numbers(zone: Zone) -> list[float]:
    return [
        zone.upper_k,
        *attrs.astuple(zone.pid),
        zone.manual_percent,
        zone.heater_range,
        zone.ramp_k_per_min,
        zone.relay_1,
        zone.relay_2,
    ]


def _tell(session: OpSession, number: int, output: Output, zone: Zone) -> tuple[bool, str]:
    session.data = {
        "zone": number,
        "upper": zone.upper_k,
        "P": zone.pid.proportional,
        "I": zone.pid.integral,
        "D": zone.pid.derivative,
        "output": zone.manual_percent,
        "range": range_value(output, zone.heater_range),
        "rate": zone.ramp_k_per_min,
        "relay1": zone.relay_1,
        "relay2": zone.relay_2,
    }
    return True, (
        f"Zone {number} of the {OUTPUT_NAMES[output]} is up to {zone.upper_k:g} K, with range "
        f"{range_text(output, zone.heater_range)}."
    )
