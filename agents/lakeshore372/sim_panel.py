"""What the simulated 372 only keeps and gives back: front panel, alarms, relays, interfaces.

Facts from the project's Lake Shore specification, section 1.4; the number of parameters is that
which the maker's own driver sends and expects.
"""

import re
from collections.abc import Callable

import attrs

from agents.lakeshore372.input_tables import Units
from agents.lakeshore372.sim_words import Arguments, Commands, Queries, refuse, text

__all__ = ["Panel"]

_LONGEST = 32
_NUMERIC = re.compile(r"A?|[+-]?[0-9]*\.?[0-9]+(?:[Ee][+-]?[0-9]+)?", re.ASCII | re.IGNORECASE)


@attrs.frozen
class _Kept:
    """A setting that has no effect.

    Attributes:
        default: its parameters as delivered.
        keys: what it exists for, as the first parameter says; empty if it exists once.
        least: fewest parameters a client must send; the others keep their value.
        last_only: True if only the last parameter is given back.
        words: True if parameters may be any text, not numbers and ``A`` only.
        padded: width to which texts are padded in the answer; 0 for not at all.
    """

    default: tuple[str, ...]
    keys: tuple[str, ...] = ()
    least: int = 1
    last_only: bool = False
    words: bool = False
    padded: int = 0


_CHANNELS = ("A", *(str(number) for number in range(1, 17)))

_KEPT = {
    "ALARM": _Kept(("0", "1", "1000", "0", "0", "0", "0", "0"), _CHANNELS, least=7),
    "ANALOG": _Kept(("0", "4", "0", "1", "0", "0", "0"), ("1", "2"), least=7),
    "BEEP": _Kept(("1",)),
    "BRIGT": _Kept(("2",)),
    "DISPFLD": _Kept(("1", "1"), tuple(str(number) for number in range(1, 9)), least=2),
    "DISPLAY": _Kept(("0", "0", "0")),
    "DOUT": _Kept(("0",)),
    "IEEE": _Kept(("0", "0", "12"), last_only=True),
    "INTSEL": _Kept(("1",)),
    "LEDS": _Kept(("1",)),
    "LOCK": _Kept(("0", "123"), least=2),
    "MODE": _Kept(("0",)),
    "MONITOR": _Kept(("0",)),
    "NET": _Kept(
        (
            *("0", "0", "192.168.0.12", "255.255.255.0", "192.168.0.1", "0.0.0.0", "0.0.0.0"),  # noqa: S104 - an address that is answered, not listened on
            *("LSCI-372", "", "simulated"),
        ),
        least=7,
        words=True,
    ),
    "RELAY": _Kept(("0", "0", "0"), ("1", "2")),
    "WEBLOG": _Kept(("user", "password"), least=2, words=True, padded=15),
}

_NETWORK = (
    "0,192.168.0.12,255.255.255.0,192.168.0.1,0.0.0.0,0.0.0.0,00:1F:B9:00:00:01,LSCI-372,simulated"
)


class Panel:
    """Settings that are kept and given back."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], tuple[str, ...]] = {}
        self.queries: Queries = {
            **{f"{name}?": self._ask(name, kept) for name, kept in _KEPT.items()},
            "ALARMST?": self._alarm_state,
            "NETID?": self._network,
            "RELAYST?": self._relay_state,
        }
        self.commands: Commands = {
            **{name: self._keep(name, kept) for name, kept in _KEPT.items()},
            "ALMRST": self._reset_alarms,
        }

    def reset(self) -> None:
        """Go back to the settings as delivered."""
        self._values.clear()

    def value(self, name: str, key: str = "") -> tuple[str, ...]:
        """Return a setting's parameters."""
        return self._values.get((name, key), _KEPT[name].default)

    def monitor_span(self) -> tuple[Units, float, float]:
        """Return what output 2 follows as a monitor: units, and the readings at least and full."""
        source, high, low = self.value("ANALOG", "2")[3:6]
        try:
            span = float(low), float(high)
        except ValueError:
            span = 0.0, 0.0
        return Units.OHMS if source == "2" else Units.KELVIN, *span

    def _ask(self, name: str, kept: _Kept) -> Callable[[Arguments], str]:
        def query(arguments: Arguments) -> str:
            if kept.keys:
                (word,) = arguments.take(1)
                found = self.value(name, _key(kept, word)[0])
            else:
                arguments.take(0)
                found = self.value(name)
            if kept.last_only:
                return found[-1]
            return ",".join(word.ljust(kept.padded) for word in found)

        return query

    def _keep(self, name: str, kept: _Kept) -> Callable[[Arguments], None]:
        def command(arguments: Arguments) -> None:
            words = arguments.fields if '"' in " ".join(arguments.words) else arguments.words
            keys: tuple[str, ...] = ("",)
            if kept.keys:
                if not words:
                    refuse()
                keys = _key(kept, words[0], every=name == "ALARM")
                words = words[1:]
            if kept.last_only:
                words = [*kept.default[: len(kept.default) - len(words)], *words]
            if not kept.least <= len(words) <= len(kept.default):
                refuse()
            given = [text(word, _LONGEST) for word in words]
            if not kept.words and not all(_NUMERIC.fullmatch(word) for word in given):
                refuse()
            for key in keys:
                held = self.value(name, key)
                filled = [new or old for new, old in zip(given, held, strict=False)]
                self._values[name, key] = (*filled, *held[len(filled) :])

        return command

    @staticmethod
    def _alarm_state(arguments: Arguments) -> str:
        (word,) = arguments.take(1)
        _key(_KEPT["ALARM"], word)
        return "0,0"

    @staticmethod
    def _reset_alarms(arguments: Arguments) -> None:
        arguments.take(0)

    @staticmethod
    def _network(arguments: Arguments) -> str:
        arguments.take(0)
        return _NETWORK

    def _relay_state(self, arguments: Arguments) -> str:
        (word,) = arguments.take(1)
        return f"{self.value('RELAY', _key(_KEPT['RELAY'], word)[0])[0] == '1':d}"


def _key(kept: _Kept, word: str, *, every: bool = False) -> tuple[str, ...]:
    """Return what a parameter says a setting is for; with `every`, 0 is all but ``A``."""
    key = word.upper().lstrip("0")
    if every and word and not key:
        return kept.keys[1:]
    if key not in kept.keys:
        refuse()
    return (key,)
