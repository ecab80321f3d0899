"""Scenarios: what goes wrong with a simulated instrument and when, as a YAML file. No I/O but that.

A file is a mapping with ``steps`` and, if wanted, ``description``, ``seed`` and ``repeat``::

    description: What a bad day looks like.
    seed: 7                 # of all that is drawn; 1 if not given
    repeat: forever         # or a number; 1 if not given
    steps:
      - after: 5            # seconds since the step before; 0 if not given
        fault: slow
        target: 0.5         # channel, output, or the fault's argument
        for: 10             # seconds; until it is cleared if not given
      - after: [3, 8]       # drawn anew each time
        choose:             # one of these, drawn anew each time
          - {fault: garbage, for: 2}
          - {fault: overrange, target: 3, for: 20}
      - after: 30
        clear: all          # or a fault's name
"""

from collections.abc import Collection
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import attrs
import yaml

from ocs.errors import OcsError

__all__ = [
    "BadScenario",
    "Clear",
    "Inject",
    "Scenario",
    "Step",
    "parse_scenario",
    "read_scenario",
    "shipped_scenarios",
]

_SHORTEST_ROUND_S = 0.01


class BadScenario(OcsError):
    """A scenario's file cannot be read, or says something that cannot be done."""


@attrs.frozen
class Inject:
    """Switch a fault on.

    Attributes:
        name: which.
        target: channel, output, or its argument.
        duration_s: for how long; None until it is cleared.
    """

    name: str
    target: str | None
    duration_s: float | None


@attrs.frozen
class Clear:
    """Switch faults off.

    Attributes:
        name: which; None for all.
    """

    name: str | None


@attrs.frozen
class Step:
    """Something that happens.

    Attributes:
        after_s: from and to how long after the step before.
        actions: one of these, drawn.
    """

    after_s: tuple[float, float]
    actions: tuple[Inject | Clear, ...]


@attrs.frozen
class Scenario:
    """What goes wrong and when.

    Attributes:
        steps: in order.
        seed: of all that is drawn.
        repeat: how often; None for ever.
        description: what it is for.
    """

    steps: tuple[Step, ...]
    seed: int = 1
    repeat: int | None = 1
    description: str = ""


def shipped_scenarios() -> dict[str, str]:
    """Return the text of the scenarios that come with the simulators, by name."""
    return {
        entry.name.removesuffix(".yaml"): entry.read_text(encoding="utf-8")
        for entry in sorted(
            files("agents.lakeshore.sim").joinpath("scenarios").iterdir(), key=lambda e: e.name
        )
        if entry.name.endswith(".yaml")
    }


def read_scenario(name: str, known: Collection[str]) -> Scenario:
    """Read one of the scenarios that are shipped, by its name, or any other by its file.

    Args:
        name: ``bad-day``, or a path.
        known: names of the faults there are.

    Raises:
        BadScenario: it is not there or not right; the words name the line.
    """
    shipped = shipped_scenarios()
    if name in shipped:
        return parse_scenario(shipped[name], f"{name}.yaml", known)
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BadScenario(
            f"cannot read the scenario {name}: {why}. It is a file, or one of {', '.join(shipped)}."
        ) from None
    return parse_scenario(text, name, known)


def parse_scenario(text: str, source: str, known: Collection[str]) -> Scenario:
    """Read a scenario.

    Args:
        text: YAML.
        source: where it is from, for messages.
        known: names of the faults there are.

    Raises:
        BadScenario: it is not right; the words name the line.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f", line {mark.line + 1}"
        raise BadScenario(f"{source}{line}: not YAML: {getattr(error, 'problem', error)}") from None
    if root is None:
        raise BadScenario(f"{source}: the file is empty; it needs steps.")
    return _Reader(source, known).scenario(root)


class _Reader:
    """Reads a scenario from YAML's nodes, which know their lines."""

    def __init__(self, source: str, known: Collection[str]) -> None:
        self._source = source
        self._known = known

    def scenario(self, root: Any) -> Scenario:
        parts = self._mapping(root, {"description", "seed", "repeat", "steps"})
        if "steps" not in parts:
            self._fail(root, "steps are missing")
        steps = tuple(self._step(node) for node in self._list(parts["steps"], "steps"))
        repeat = self._repeat(parts["repeat"]) if "repeat" in parts else 1
        if repeat is None and sum(step.after_s[0] for step in steps) < _SHORTEST_ROUND_S:
            self._fail(parts["repeat"], "repeated for ever, the steps must take time: use after")
        return Scenario(
            steps=steps,
            seed=self._whole(parts["seed"], "seed", 0) if "seed" in parts else 1,
            repeat=repeat,
            description=self._text(parts["description"]) if "description" in parts else "",
        )

    def _step(self, node: Any) -> Step:
        parts = self._mapping(node, {"after", "fault", "target", "for", "clear", "choose"})
        after_s = self._after(parts.pop("after")) if "after" in parts else (0.0, 0.0)
        if "choose" not in parts:
            return Step(after_s, (self._action(node, parts),))
        if len(parts) > 1:
            self._fail(node, "beside choose there is only after")
        choices = self._list(parts["choose"], "choose")
        keys = {"fault", "target", "for", "clear"}
        return Step(after_s, tuple(self._action(it, self._mapping(it, keys)) for it in choices))

    def _action(self, node: Any, parts: dict[str, Any]) -> Inject | Clear:
        if ("fault" in parts) == ("clear" in parts):
            self._fail(node, "a step has one of fault, clear and choose")
        if "clear" in parts:
            if len(parts) > 1:
                self._fail(node, "beside clear there is only after")
            text = self._text(parts["clear"])
            return Clear(None if text == "all" else self._name(parts["clear"]))
        return Inject(
            name=self._name(parts["fault"]),
            target=self._text(parts["target"]) if "target" in parts else None,
            duration_s=self._time(parts["for"], "for", above=0.0) if "for" in parts else None,
        )

    def _name(self, node: Any) -> str:
        name = self._text(node).replace("-", "_")
        if name not in self._known:
            self._fail(node, f"there is no fault {name!r}; there are {', '.join(self._known)}")
        return name

    def _after(self, node: Any) -> tuple[float, float]:
        if not isinstance(node, yaml.SequenceNode):
            time_s = self._time(node, "after")
            return time_s, time_s
        times = [self._time(item, "after") for item in node.value]
        if len(times) != 2 or times[0] > times[1]:
            self._fail(node, "after is a time, or the shortest and the longest one")
        return times[0], times[1]

    def _repeat(self, node: Any) -> int | None:
        return None if self._text(node) == "forever" else self._whole(node, "repeat", 1)

    def _whole(self, node: Any, what: str, low: int) -> int:
        text = self._text(node)
        if not text.isascii() or not text.isdigit() or int(text) < low:
            self._fail(node, f"{what} is {text!r}, not a whole number from {low}")
        return int(text)

    def _time(self, node: Any, what: str, above: float = -1.0) -> float:
        text = self._text(node)
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not max(above, 0.0) <= value <= 86400 or value == above:
            self._fail(node, f"{what} is {text!r}, not a time in seconds up to 86400")
        return value

    def _text(self, node: Any) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            self._fail(node, "a single value was expected here")
        return str(node.value)

    def _list(self, node: Any, what: str) -> list[Any]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._fail(node, f"{what} is a list with at least one entry")
        return list(node.value)

    def _mapping(self, node: Any, allowed: Collection[str]) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, f"keys were expected here: {', '.join(sorted(allowed))}")
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = self._text(key)
            if name not in allowed:
                self._fail(key, f"{name!r} is none of {', '.join(sorted(allowed))}")
            if name in found:
                self._fail(key, f"{name!r} is there twice")
            found[name] = value
        return found

    def _fail(self, node: Any, words: str) -> NoReturn:
        raise BadScenario(f"{self._source}, line {node.start_mark.line + 1}: {words}.")
