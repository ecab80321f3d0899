"""Tasks that set up the 372's control loops: output modes, terms, setpoint, ramp."""

from collections.abc import Mapping
from typing import Any

import attrs

from agents.lakeshore.link import InstrumentLink, Refused
from agents.lakeshore.operations import reporting
from agents.lakeshore372 import loop_codec
from agents.lakeshore372.input_tables import MEASUREMENT_CHANNELS, Channel
from agents.lakeshore372.limits import Limits
from agents.lakeshore372.output_checks import same
from agents.lakeshore372.output_codec import OutputState
from agents.lakeshore372.output_params import HEATERS, LOOPS, heater_name
from agents.lakeshore372.output_tables import (
    MODE_NAMES,
    OUTPUT_NAMES,
    Output,
    OutputModeSetup,
    PidTerms,
    Polarity,
    Ramp,
    mode_name,
    range_text,
)
from agents.lakeshore372.outputs import Outputs
from ocs.ocs_agent import OCSAgent, OpSession, param

__all__ = ["LoopOperations"]

_MODES = {name.lower(): mode for name, mode in MODE_NAMES.items()}
_TRUE = ("true", "on", "1")
_FALSE = ("false", "off", "0")


def _mode(value: Any) -> str:
    return " ".join(str(value).lower().replace("_", " ").split())


def _boolean(value: Any) -> bool:
    text = str(value).lower()
    if text not in (*_TRUE, *_FALSE):
        raise ValueError(f"{value!r} is neither true nor false")
    return text in _TRUE


def _channel(value: Any) -> Channel | None:
    """Read the input of a loop: 1 to 16, ``A``, or 0 for none."""
    text = str(value).strip().upper()
    if text == "A":
        return "A"
    if text.isascii() and text.isdigit() and (int(text) in MEASUREMENT_CHANNELS or not int(text)):
        return int(text)
    raise ValueError(f"{value!r} is not 1 to 16, 'A', or 0 for none")


class LoopOperations:
    """Tasks about control loops.

    Args:
        agent: the OCS agent they live in.
        driver: speaks with the unit.
        limits: what the site allows.
    """

    def __init__(self, agent: OCSAgent, driver: InstrumentLink, limits: Limits) -> None:
        self._agent = agent
        self._outputs = Outputs(driver, limits)

    def register(self) -> None:
        """Offer the tasks to clients."""
        agent = self._agent
        agent.register_task("set_output_mode", self.set_output_mode)
        agent.register_task("get_output_setup", self.get_output_setup)
        agent.register_task("set_pid", self.set_pid)
        agent.register_task("get_pid", self.get_pid)
        agent.register_task("set_setpoint", self.set_setpoint)
        agent.register_task("get_setpoint", self.get_setpoint)
        agent.register_task("set_ramp", self.set_ramp)
        agent.register_task("get_ramp", self.get_ramp)

    @param("heater", cast=heater_name, choices=list(HEATERS))
    @param("mode", cast=_mode, choices=list(_MODES))
    @param("channel", default=None, cast=_channel)
    @param("powerup", default=None, cast=_boolean)
    @param("polarity", default=None, cast=heater_name, choices=["unipolar", "bipolar"])
    @param("filter", default=None, cast=_boolean)
    @param("delay", default=None, type=int, check=lambda seconds: 1 <= seconds <= 255)
    @reporting
    def set_output_mode(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_output_mode(heater, mode, channel, powerup, polarity, filter, delay)

        **Task** - Choose what drives an output. What is None stays as it is on the unit.

        Args:
            heater (str): 'sample', 'still' or 'warmup'.
            mode (str): 'Off', 'Monitor Out', 'Open Loop', 'Zone', 'Still', 'Closed Loop' or
                'Warm up', in any case. The sample heater has Off, Open Loop, Zone and Closed Loop;
                the warm-up heater Warm up besides; the still Off, Monitor Out, Open Loop, Still.
            channel (int or str): Input of the control loop, 1 to 16 or 'A'; 0 is none.
            powerup (bool): Whether the output stays as it is over a power cycle.
            polarity (str): 'unipolar' or 'bipolar'; the warm-up heater is always unipolar.
            filter (bool): Whether the control input is filtered.
            delay (int): Seconds before a scanned control channel's readings are used, 1 to 255.

        Notes:
            ``session.data`` as of ``get_output_setup``.
        """
        output = HEATERS[params["heater"]]
        present = self._outputs.state(output).setup
        wanted = _evolved(present, params)
        if output is Output.WARM_UP and wanted.polarity is Polarity.BIPOLAR:
            raise Refused("The warm-up heater is always unipolar.")
        after = self._outputs.set_mode(output, wanted)
        session.data = _setup_data(params["heater"], after)
        return True, f"The {OUTPUT_NAMES[output]}'s mode is {mode_name(after.setup.mode)}."

    @param("heater", default="sample", cast=heater_name, choices=list(HEATERS))
    @reporting
    def get_output_setup(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """get_output_setup(heater='sample')

        **Task** - Ask for everything that decides about an output.

        Args:
            heater (str): 'sample', 'still' or 'warmup'.

        Notes:
            ``session.data``::

                {"heater": "sample", "mode": "Closed Loop", "channel": 6, "powerup": True,
                 "polarity": "unipolar", "filter": False, "delay": 5, "range": "0.00316 A",
                 "resistance": 120.0, "display": "current", "manual_output": 0.0}

            The channel is None if there is none; delay is in s, resistance in ohm, the manual
            output in percent, or in W if the sample heater's display is power.
        """
        output = HEATERS[params["heater"]]
        state = self._outputs.state(output)
        session.data = _setup_data(params["heater"], state)
        return True, (
            f"The {OUTPUT_NAMES[output]}'s mode is {mode_name(state.setup.mode)}, its range "
            f"{range_text(output, state.heater_range)}."
        )

    @param("P", type=float, check=lambda value: 0 <= value <= 1000)
    @param("I", type=float, check=lambda value: 0 <= value <= 10000)
    @param("D", type=float, check=lambda value: 0 <= value <= 2500)
    @param("heater", default="sample", cast=heater_name, choices=LOOPS)
    @reporting
    def set_pid(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_pid(P, I, D, heater='sample')

        **Task** - Set the terms of a heater's control loop.

        Args:
            P (float): 0 to 1000.
            I (float): 0 to 10000.
            D (float): 0 to 2500.
            heater (str): 'sample' or 'warmup'.

        Notes:
            ``session.data``::

                {"P": 40.0, "I": 2.0, "D": 0.0}
        """
        output = HEATERS[params["heater"]]
        wanted = PidTerms(params["P"], params["I"], params["D"])
        after = self._outputs.confirm(
            loop_codec.set_pid(output, wanted),
            loop_codec.pid(output),
            lambda terms: all(map(same, attrs.astuple(terms), attrs.astuple(wanted))),
            f"P {wanted.proportional:g}, I {wanted.integral:g}, D {wanted.derivative:g} for the "
            f"{OUTPUT_NAMES[output]}",
        )
        session.data = _pid_data(after)
        return True, _pid_words(output, after)

    @param("heater", default="sample", cast=heater_name, choices=LOOPS)
    @reporting
    def get_pid(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """get_pid(heater='sample')

        **Task** - Ask for the terms of a heater's control loop.

        Args:
            heater (str): 'sample' or 'warmup'.

        Notes:
            ``session.data`` as of ``set_pid``.
        """
        output = HEATERS[params["heater"]]
        terms = self._outputs.ask(loop_codec.pid(output))
        session.data = _pid_data(terms)
        return True, _pid_words(output, terms)

    @param("temperature", type=float, check=lambda kelvin: kelvin > 0)
    @param("heater", default="sample", cast=heater_name, choices=LOOPS)
    @reporting
    def set_setpoint(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_setpoint(temperature, heater='sample')

        **Task** - Set the setpoint of a heater's control loop, whose input must be in kelvin.

        Args:
            temperature (float): Kelvin; below 1 K, or up to the site's ``--max-setpoint``.
            heater (str): 'sample' or 'warmup'.

        Notes:
            ``session.data``: what the unit has now; on a ramp it is still on its way::

                {"setpoint": 0.1}
        """
        output = HEATERS[params["heater"]]
        reached = self._outputs.set_setpoint(output, params["temperature"])
        session.data = {"setpoint": reached}
        if not same(reached, params["temperature"]):
            return True, (
                f"The {OUTPUT_NAMES[output]}'s setpoint ramps from {reached:g} K to "
                f"{params['temperature']:g} K."
            )
        return True, f"The {OUTPUT_NAMES[output]}'s setpoint is {reached:g} K."

    @param("heater", default="sample", cast=heater_name, choices=LOOPS)
    @reporting
    def get_setpoint(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """get_setpoint(heater='sample')

        **Task** - Ask for the setpoint of a heater's control loop.

        Args:
            heater (str): 'sample' or 'warmup'.

        Notes:
            ``session.data``, in the units of the loop's input, kelvin or ohms::

                {"setpoint": 0.1}
        """
        output = HEATERS[params["heater"]]
        value = self._outputs.ask(loop_codec.setpoint(output))
        session.data = {"setpoint": value}
        return True, f"The {OUTPUT_NAMES[output]}'s setpoint is {value:g}."

    @param("rate", type=float, check=lambda rate: rate == 0 or 0.001 <= rate <= 100)
    @param("on", default=True, cast=_boolean)
    @param("heater", default="sample", cast=heater_name, choices=LOOPS)
    @reporting
    def set_ramp(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_ramp(rate, on=True, heater='sample')

        **Task** - Have a heater's setpoint go to new values slowly.

        Args:
            rate (float): K/min, 0.001 to 100; 0 goes at once.
            on (bool): Whether it ramps.
            heater (str): 'sample' or 'warmup'.

        Notes:
            ``session.data``::

                {"on": True, "rate": 0.01, "ramping": False}
        """
        output = HEATERS[params["heater"]]
        wanted = Ramp(params["on"], params["rate"])
        after = self._outputs.confirm(
            loop_codec.set_ramp(output, wanted),
            loop_codec.ramp(output),
            lambda ramp: ramp.on is wanted.on and same(ramp.rate_k_per_min, wanted.rate_k_per_min),
            f"a ramp of {wanted.rate_k_per_min:g} K/min",
        )
        return self._tell_ramp(session, output, after)

    @param("heater", default="sample", cast=heater_name, choices=LOOPS)
    @reporting
    def get_ramp(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """get_ramp(heater='sample')

        **Task** - Ask how a heater's setpoint goes to new values, and whether it is on its way.

        Args:
            heater (str): 'sample' or 'warmup'.

        Notes:
            ``session.data`` as of ``set_ramp``.
        """
        output = HEATERS[params["heater"]]
        return self._tell_ramp(session, output, self._outputs.ask(loop_codec.ramp(output)))

    def _tell_ramp(self, session: OpSession, output: Output, ramp: Ramp) -> tuple[bool, str]:
        ramping = self._outputs.ask(loop_codec.ramping(output))
        session.data = {"on": ramp.on, "rate": ramp.rate_k_per_min, "ramping": ramping}
        if not ramp.on:
            return True, f"The {OUTPUT_NAMES[output]}'s setpoint does not ramp."
        return True, (
            f"The {OUTPUT_NAMES[output]}'s setpoint ramps at {ramp.rate_k_per_min:g} K/min"
            f"{', and is on its way' if ramping else ''}."
        )


def _evolved(present: OutputModeSetup, params: Mapping[str, Any]) -> OutputModeSetup:
    """Return an output's settings with those changed that a client has given."""
    channel, polarity = params["channel"], params["polarity"]
    return OutputModeSetup(
        mode=_MODES[params["mode"]],
        channel=present.channel if channel is None else channel or None,
        powerup=present.powerup if params["powerup"] is None else params["powerup"],
        polarity=present.polarity if polarity is None else Polarity[polarity.upper()],
        filtered=present.filtered if params["filter"] is None else params["filter"],
        delay_s=params["delay"] or max(1, present.delay_s),
    )


def _setup_data(name: str, state: OutputState) -> dict[str, Any]:
    setup = state.setup
    return {
        "heater": name,
        "mode": mode_name(setup.mode),
        "channel": setup.channel,
        "powerup": setup.powerup,
        "polarity": setup.polarity.name.lower(),
        "filter": setup.filtered,
        "delay": setup.delay_s,
        "range": range_text(HEATERS[name], state.heater_range),
        "resistance": state.heater.resistance_ohm,
        "display": state.heater.display.name.lower(),
        "manual_output": state.manual,
    }


def _pid_data(terms: PidTerms) -> dict[str, float]:
    return {"P": terms.proportional, "I": terms.integral, "D": terms.derivative}


def _pid_words(output: Output, terms: PidTerms) -> str:
    return (
        f"The {OUTPUT_NAMES[output]}'s terms are P {terms.proportional:g}, I {terms.integral:g}, "
        f"D {terms.derivative:g}."
    )
