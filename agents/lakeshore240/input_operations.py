"""Tasks of the 240 Agent for its inputs: set them up, look at how they are."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from agents.lakeshore.link import Refused
from agents.lakeshore.messages import Command
from agents.lakeshore.operations import reporting
from agents.lakeshore240 import codec
from agents.lakeshore240.input_tables import InputType, Sensor, Units, sensor_title
from agents.lakeshore240.module import Module
from agents.lakeshore240.targets import NotPossible, find_target
from ocs.ocs_agent import OCSAgent, OpSession, param

__all__ = ["InputOperations"]

V = TypeVar("V")
E = TypeVar("E", Sensor, Units)


class InputOperations:
    """Tasks on the inputs of 240 modules.

    Args:
        agent: where they are registered.
        modules: the modules; where there are several, tasks name one by its serial number.
    """

    def __init__(self, agent: OCSAgent, modules: Sequence[Module]) -> None:
        self._agent = agent
        self._modules = modules

    def register(self) -> None:
        """Offer the tasks to clients."""
        self._agent.register_task("set_values", self.set_values)
        self._agent.register_task("get_values", self.get_values)

    @param("channel", type=int)
    @param("sensor", default=None, type=int)
    @param("auto_range", default=None)
    @param("autorange", default=None)
    @param("range", default=None, type=int)
    @param("current_reversal", default=None)
    @param("unit", default=None, type=int)
    @param("units", default=None, type=int)
    @param("enabled", default=None)
    @param("name", default=None, type=str)
    @param("filter", default=None, type=int)
    @param("module", default=None, type=str)
    @reporting
    def set_values(  # noqa: D417 - its arguments are those that clients send
        self, _session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """set_values(channel, sensor=None, auto_range=None, range=None, ..., module=None)

        **Task** - Change settings of an input; what is left out stays as it is.

        Args:
            channel (int): 1 to 8 (1 to 2 of a 240-2P).
            sensor (int): 1 diode, 2 platinum RTD, 3 NTC RTD.
            auto_range (bool or int): Let the module choose the range of an NTC RTD; also
                ``autorange``.
            range (int): Full scale of an NTC RTD: 0 to 8 for 10, 30, 100, 300 ohms, 1, 3, 10, 30,
                100 kiloohms; 0 for the others.
            current_reversal (bool or int): Cancel thermal voltages; not for a diode.
            unit (int): Preferred units: 1 kelvin, 2 Celsius, 3 sensor, 4 Fahrenheit; also
                ``units``.
            enabled (bool or int): Whether the input is read.
            name (str): Up to 15 characters without comma and semicolon.
            filter (int): Readings of 1 ms that are averaged, 1 to 100.
            module (str): Serial number, if the Agent has several modules.
        """
        module, channel = find_target(self._modules, params)
        present = module.driver.ask(codec.input_type(channel))
        # All is checked before anything is sent.
        wanted = _changed(present, params)
        name = _command(codec.set_input_name, channel, params["name"])
        points = _command(codec.set_filter_points, channel, params["filter"])
        done = []
        try:
            if wanted != present:
                done.append(_set_type(module, channel, wanted))
            if name is not None:
                done.append(_set_name(module, channel, name, params["name"].strip()))
        finally:
            # Also after a failure: it may have been taken all the same.
            module.settings_changed.set()
        if points is not None:
            found = module.driver.change(points, codec.filter_points(channel))
            if found != params["filter"]:
                raise Refused(f"The module keeps a filter of {found} points.")
            done.append(f"filter {found}")
        return True, f"Channel {channel}: {', '.join(done) or 'nothing was to be changed'}."

    @param("channel", type=int)
    @param("module", default=None, type=str)
    @reporting
    def get_values(  # noqa: D417 - its arguments are those that clients send
        self, session: OpSession, params: Mapping[str, Any]
    ) -> tuple[bool, str]:
        """get_values(channel, module=None)

        **Task** - Ask for the settings of an input.

        Args:
            channel (int): 1 to 8 (1 to 2 of a 240-2P).
            module (str): Serial number, if the Agent has several modules.

        Notes:
            ``session.data``; the range is in volts for a diode, in ohms for the others::

                {"sensor": "Diode", "auto_range": False, "range": 7.5, "current_reversal": False,
                 "unit": "Kelvin", "enabled": True, "name": "4K plate", "filter": 10}
        """
        module, channel = find_target(self._modules, params)
        found = module.driver.ask(codec.input_type(channel))
        data = {
            "sensor": sensor_title(found.sensor),
            "auto_range": found.autorange,
            "range": found.full_scale,
            "current_reversal": found.current_reversal,
            "unit": found.units.name.capitalize(),
            "enabled": found.enabled,
            "name": module.driver.ask(codec.input_name(channel)),
        }
        if module.driver.model.complete:
            data["filter"] = module.driver.ask(codec.filter_points(channel))
        session.data = data
        return True, f"Channel {channel}: {_words(found)}."


def _set_type(module: Module, channel: int, wanted: InputType) -> str:
    """Set an input up and say how it is now."""
    command = codec.set_input_type(channel, wanted)
    found = module.driver.change(command, codec.input_type(channel))
    if wanted.autorange:
        # It chooses the range by itself.
        wanted = attrs.evolve(wanted, range_step=found.range_step)
    if found != wanted:
        raise Refused(
            f"The module has not taken it. Asked for was {_words(wanted)}; channel {channel} is "
            f"now {_words(found)}."
        )
    return _words(found)


def _set_name(module: Module, channel: int, command: Command, wanted: str) -> str:
    found = module.driver.change(command, codec.input_name(channel))
    if found != wanted:
        raise Refused(f"The module calls channel {channel} {found!r} all the same.")
    return f"name {found!r}"


def _changed(present: InputType, params: Mapping[str, Any]) -> InputType:
    """Return the settings that are wanted, checked."""
    wanted = present
    if params["sensor"] is not None:
        sensor = _member(Sensor, params["sensor"], "sensor")
        if sensor is not present.sensor:
            # Of the old sensor's settings these mean nothing for another kind.
            wanted = attrs.evolve(wanted, sensor=sensor, range_step=0)
            if sensor is Sensor.DIODE:
                wanted = attrs.evolve(wanted, current_reversal=False)
    if params["range"] is not None:
        wanted = attrs.evolve(wanted, range_step=params["range"])
    units = _one_of(params, "unit", "units")
    if units is not None:
        wanted = attrs.evolve(wanted, units=_member(Units, units, "unit"))
    autorange = _one_of(params, "auto_range", "autorange")
    wanted = attrs.evolve(
        wanted,
        autorange=_switch(autorange, "auto_range", wanted.autorange),
        current_reversal=_switch(
            params["current_reversal"], "current_reversal", wanted.current_reversal
        ),
        enabled=_switch(params["enabled"], "enabled", wanted.enabled),
    )
    problems = wanted.problems()
    if problems:
        raise NotPossible(" ".join(problems))
    return wanted


def _switch(value: Any, what: str, present: bool) -> bool:
    if value is None:
        return present
    if isinstance(value, (bool, int)) and value in {0, 1}:
        return bool(value)
    raise NotPossible(f"{what} is {value!r}; it can be 0, 1, True or False.")


def _one_of(params: Mapping[str, Any], name: str, other: str) -> Any:
    """Return what was given under one of two names for the same thing."""
    first, second = params[name], params[other]
    if first is not None and second is not None and first != second:
        raise NotPossible(f"{name} and {other} are the same setting, but differ.")
    return second if first is None else first


def _member(kind: type[E], value: int, what: str) -> E:
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(f"{item.value} {item.name.lower().replace('_', ' ')}" for item in kind)
        raise NotPossible(f"{what} is {value}; it can be {allowed}.") from None


def _command(build: Callable[[int, V], Command], channel: int, value: V | None) -> Command | None:
    """Return the command that sets a value, or None if none was given."""
    if value is None:
        return None
    try:
        return build(channel, value)
    except ValueError as error:
        raise NotPossible(str(error)) from None


def _words(found: InputType) -> str:
    unit = "V" if found.sensor is Sensor.DIODE else "ohm"
    return (
        f"{sensor_title(found.sensor)}, range {found.full_scale:g} {unit}, "
        f"autorange {_on(found.autorange)}, current reversal {_on(found.current_reversal)}, "
        f"{found.units.name.lower()}, {'enabled' if found.enabled else 'disabled'}"
    )


def _on(value: bool) -> str:
    return "on" if value else "off"
