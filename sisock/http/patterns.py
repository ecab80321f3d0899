"""Match names against patterns that strangers send, in bounded time.

Grafana hands on whatever a user typed as a regular expression, and Python's own engine can be made
to run for years by one. The part of the syntax that people use to pick names is small: literals,
``.``, ``[...]``, groups, ``|``, ``*``, ``+``, ``?``. It is compiled to a state machine that reads
each name once.
"""

from collections.abc import Callable, Collection, Iterable

import attrs

from sisock.errors import SisockError

__all__ = ["Effort", "PatternError", "glob_to_pattern", "matching"]

MAX_PATTERN_CHARS = 2000
MAX_STEPS = 1_000_000
_STEPS_PER_CHAR = 15  # what compiling a character takes, in steps of matching

Test = Callable[[str], bool]


class PatternError(SisockError):
    """A pattern cannot be used; it may hold literals and ``. [..] (..|..) * + ?``."""


@attrs.define
class Effort:
    """What all patterns of one request may take together; a million steps are some 0.2 s."""

    steps: int = 10 * MAX_STEPS


def matching(pattern: str, names: Iterable[str], effort: Effort | None = None) -> list[str]:
    """Return the names that match ``pattern`` as a whole.

    Args:
        pattern: What a stranger has sent.
        names: What to choose from.
        effort: What is left for this request; gets less.

    Raises:
        PatternError: the syntax is none of ours, or the work would be too much.
    """
    left = effort or Effort()
    left.steps -= _STEPS_PER_CHAR * min(len(pattern), MAX_PATTERN_CHARS)
    if left.steps <= 0:
        raise PatternError("all patterns together take too long: ask for less at once")
    machine = _Parser(pattern).machine()
    budget = min(MAX_STEPS, left.steps)
    found = []
    for name in names:
        matched, steps = machine.matches(name, budget)
        budget -= steps
        left.steps -= steps
        if budget <= 0:
            raise PatternError(f"{pattern!r} takes too long to match: choose a simpler pattern")
        if matched:
            found.append(name)
    return found


def glob_to_pattern(glob: str) -> str:
    """Return the pattern that means the same as a glob with ``*`` and ``?``."""
    special = {"*": ".*", "?": "."}
    return "".join(
        special.get(char, "\\" + char if char in "\\^$+.()|[]{}" else char) for char in glob
    )


@attrs.define(eq=False)
class _State:
    """Go on by a character that passes ``test``, or for nothing along ``free``."""

    test: Test | None = None
    next: "_State | None" = None
    free: list["_State"] = attrs.field(factory=list)


@attrs.frozen(eq=False)
class _Machine:
    start: _State
    end: _State

    def matches(self, text: str, budget: int) -> tuple[bool, int]:
        """Tell whether the machine accepts ``text``, and how many steps that took."""
        current = _closure([self.start])
        steps = len(current)
        for char in text:
            following = [
                state.next
                for state in current
                if state.test is not None and state.next is not None and state.test(char)
            ]
            current = _closure(following)
            steps += len(current) + 1
            if not current or steps > budget:
                return False, steps
        return self.end in current, steps


def _closure(states: Collection[_State]) -> list[_State]:
    """Add all states that can be reached for nothing."""
    seen = dict.fromkeys(states)
    waiting = list(seen)
    while waiting:
        for state in waiting.pop().free:
            if state not in seen:
                seen[state] = None
                waiting.append(state)
    return list(seen)


class _Parser:
    """Read a pattern by recursive descent, one machine a part."""

    def __init__(self, pattern: str) -> None:
        if len(pattern) > MAX_PATTERN_CHARS:
            raise PatternError(
                f"a pattern of {len(pattern)} characters is too long: allowed are "
                f"{MAX_PATTERN_CHARS}"
            )
        self._pattern = pattern
        self._text = pattern.removeprefix("^")
        if self._text.endswith("$") and not self._text.endswith("\\$"):
            self._text = self._text[:-1]
        self._at = 0
        self._depth = 0

    def machine(self) -> _Machine:
        whole = self._alternatives()
        if self._at < len(self._text):
            raise self._error(f"unexpected {self._text[self._at]!r}")
        return whole

    def _error(self, why: str) -> PatternError:
        return PatternError(f"{self._pattern!r} is no pattern this server understands: {why}")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _alternatives(self) -> _Machine:
        start, end = _State(), _State()
        while True:
            part = self._sequence()
            start.free.append(part.start)
            part.end.free.append(end)
            if self._peek() != "|":
                return _Machine(start, end)
            self._at += 1

    def _sequence(self) -> _Machine:
        start = end = _State()
        while self._peek() not in ("", "|", ")"):
            part = self._repeated()
            end.free.append(part.start)
            end = part.end
        return _Machine(start, end)

    def _repeated(self) -> _Machine:
        part = self._single()
        sign = self._peek()
        if sign not in ("*", "+", "?") or not sign:
            return part
        self._at += 1
        start, end = _State(free=[part.start]), _State()
        part.end.free.append(end)
        if sign != "?":
            part.end.free.append(part.start)
        if sign != "+":
            start.free.append(end)
        return _Machine(start, end)

    def _single(self) -> _Machine:
        char = self._text[self._at]
        self._at += 1
        if char == "(":
            return self._group()
        if char in "*+?{}^$":
            raise self._error(f"{char!r} cannot stand at position {self._at}")
        test: Test
        if char == ".":
            test = bool
        elif char == "[":
            test = self._set()
        else:
            test = (self._escaped() if char == "\\" else char).__eq__
        end = _State()
        return _Machine(_State(test=test, next=end), end)

    def _group(self) -> _Machine:
        self._depth += 1
        if self._depth > 20:
            raise self._error("more than 20 groups within each other")
        if self._text.startswith("?:", self._at):
            self._at += 2
        inner = self._alternatives()
        if self._peek() != ")":
            raise self._error("a '(' is not closed")
        self._at += 1
        self._depth -= 1
        return inner

    def _escaped(self) -> str:
        char = self._peek()
        if not char or char.isalnum():
            raise self._error(f"'\\{char}' is not supported")
        self._at += 1
        return char

    def _set(self) -> Test:
        negated = self._peek() == "^"
        if negated:
            self._at += 1
        spans: list[tuple[str, str]] = []
        while self._peek() != "]" or not spans:
            low = self._set_char()
            high = low
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                high = self._set_char()
            spans.append((low, high))
        self._at += 1
        return lambda char: any(low <= char <= high for low, high in spans) != negated

    def _set_char(self) -> str:
        char = self._peek()
        if not char:
            raise self._error("a '[' is not closed")
        self._at += 1
        return self._escaped() if char == "\\" else char
