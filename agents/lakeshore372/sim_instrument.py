"""The simulated 372 without its socket: a line in, what the real one would answer out.

As the real one (the project's Lake Shore specification, sections 1.1 and 1.4) it answers nothing
to commands, nor to anything unknown or malformed: that only sets a bit of the event register.
Each group of mnemonics has a module of its own; this one knows those of the instrument as a whole.
"""

from collections.abc import Callable, Mapping

from agents.lakeshore.sim.replies import Reply, SentReading
from agents.lakeshore372.input_tables import ReadingStatus
from agents.lakeshore372.sim_bridge import UPDATE_S, Bridge
from agents.lakeshore372.sim_conditions import Conditions
from agents.lakeshore372.sim_cryostat import Cryostat
from agents.lakeshore372.sim_input_commands import InputCommands
from agents.lakeshore372.sim_output_commands import OutputCommands
from agents.lakeshore372.sim_outputs import SAMPLE, WARM_UP, Outputs
from agents.lakeshore372.sim_panel import Panel
from agents.lakeshore372.sim_scanner import Scanner
from agents.lakeshore372.sim_words import (
    Arguments,
    Commands,
    Event,
    NoAnswer,
    Queries,
    Refused,
    format_reading,
    number,
    split_line,
    split_message,
)

__all__ = ["Event", "Reply", "SentReading", "SimulatedLs372", "format_reading"]

_FINE_S = 300.0
_COARSE_STEPS = 200
_MOMENT_S = 1e-5
_OVERLOADS = ReadingStatus(0b0001_1111)


class SimulatedLs372:
    """A 372 with a 16-channel scanner.

    Args:
        cryostat: what it looks at, and heats.
        bridge: its inputs, with its curves.
        scanner: which input is measured.
        outputs: its outputs.
        panel: what it only keeps.
        conditions: what is wrong with it.
        serial: its serial number.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        cryostat: Cryostat,
        bridge: Bridge,
        scanner: Scanner,
        outputs: Outputs,
        panel: Panel,
        conditions: Conditions,
        *,
        serial: str,
        clock: Callable[[], float],
    ) -> None:
        self._cryostat = cryostat
        self._bridge = bridge
        self._scanner = scanner
        self._outputs = outputs
        self._panel = panel
        self._conditions = conditions
        self._serial = serial
        self._clock = clock
        self._now = self._step_s = cryostat.now
        self._events = Event.POWER_ON
        self._event_mask = 0
        self._service_mask = 0
        self._inputs = InputCommands(bridge, scanner, lambda: self._now)
        loops = OutputCommands(outputs, bridge, conditions)
        groups = (self._inputs, loops, bridge.curves, panel)
        self._queries: dict[str, Callable[[Arguments], str]] = dict(self._own_queries())
        self._commands: dict[str, Callable[[Arguments], None]] = dict(self._own_commands())
        for group in groups:
            self._queries |= group.queries
            self._commands |= group.commands

    def _own_queries(self) -> Queries:
        return {
            "*IDN?": lambda _: f"LSCI,MODEL372,{self._serial},1.3",
            "*ESR?": lambda _: self._read_events(),
            "*ESE?": lambda _: f"{self._event_mask:03d}",
            "*SRE?": lambda _: f"{self._service_mask:03d}",
            "*STB?": lambda _: f"{self._status_byte():03d}",
            "*OPC?": lambda _: "1",
            "*TST?": lambda _: "0",
        }

    def _own_commands(self) -> Commands:
        return {
            "*CLS": lambda _: self._clear_events(),
            "*ESE": self._set_event_mask,
            "*SRE": self._set_service_mask,
            "*OPC": lambda _: self._note(Event.OPERATION_COMPLETE),
            "*WAI": lambda _: None,
            "*RST": lambda _: self._power_cycle(),
            "DFLT": self._reset,
            "EMUL": _leave_emulation,
        }

    def conditions(self) -> Mapping[str, str]:
        """Return what can be made to go wrong: name and a line of help."""
        return self._conditions.names()

    def set_condition(self, name: str, target: str | None, *, active: bool) -> None:
        """Make something go wrong, or right again.

        Args:
            name: one of `conditions`.
            target: channel or output it is about; None for all of them.
            active: False to make it right again.

        Raises:
            ValueError: the name or the target is none; the words name what is allowed.
        """
        self.advance()
        self._conditions.set(name, target, active=active)

    def advance(self) -> None:
        """Go on to the present, as `handle_line` does; call it now and then in quiet times."""
        # A system clock set back must not make the instrument undo what it did.
        self._now = max(self._now, self._clock())
        behind_s = self._now - self._step_s
        if behind_s > _FINE_S:
            # Nobody has looked for long: a loop's outputs stay, and long steps do.
            coarse_s = (behind_s - _FINE_S) / _COARSE_STEPS
            for _ in range(_COARSE_STEPS):
                self._step(coarse_s, controlled=False)
        while self._now - self._step_s >= UPDATE_S:
            self._step(UPDATE_S, controlled=True)
        self._scanner.advance(self._now)

    def _step(self, elapsed_s: float, *, controlled: bool) -> None:
        self._step_s += elapsed_s
        # Readings due before the step's end are of the temperatures before it, whether somebody
        # asks meanwhile or not.
        self._scanner.advance(self._step_s - _MOMENT_S)
        self._cryostat.advance(self._step_s, self._outputs.heat_w())
        self._scanner.advance(self._step_s)
        if self._bridge.channels["A"].settings.enabled:
            self._bridge.measure("A", self._step_s)
        if controlled:
            self._outputs.advance(self._step_s, elapsed_s)

    def handle_line(self, line: bytes) -> Reply:
        """Carry out a line, given without its end, and return the answer."""
        self.advance()
        answers = []
        for part in split_line(line.decode("ascii", "replace")):
            try:
                answer = self._handle(part)
            except Refused as refusal:
                self._note(refusal.event)
            except NoAnswer:
                continue
            else:
                if answer is not None:
                    answers.append(answer)
        return Reply(";".join(answers) if answers else None, self._inputs.take_new())

    def refuse_line(self) -> None:
        """Note a line that was too long to be taken."""
        self._note(Event.COMMAND_ERROR)

    def _handle(self, message: str) -> str | None:
        mnemonic, arguments = split_message(message)
        query = self._queries.get(mnemonic)
        if query is not None:
            return query(arguments)
        command = self._commands.get(mnemonic)
        if command is None:
            raise Refused(Event.COMMAND_ERROR)
        command(arguments)
        return None

    def _note(self, event: Event) -> None:
        self._events |= event

    def _read_events(self) -> str:
        events, self._events = self._events, Event(0)
        return f"{events.value:03d}"

    def _clear_events(self) -> None:
        self._events = Event(0)
        for output in self._outputs.all.values():
            output.ramp.finished = False

    def _set_event_mask(self, arguments: Arguments) -> None:
        self._event_mask = _only(arguments, 0, 255)

    def _set_service_mask(self, arguments: Arguments) -> None:
        self._service_mask = _only(arguments, 0, 255)

    def _status_byte(self) -> int:
        control = self._bridge.channels["A"].reading.status
        measured = self._bridge.channels[self._scanner.active].reading.status
        bits = (
            self._outputs.all[WARM_UP].ramp.finished,
            not control,
            not measured,
            False,
            bool((control | measured) & _OVERLOADS),
            bool(self._events.value & self._event_mask),
            False,
            self._outputs.all[SAMPLE].ramp.finished,
        )
        status = sum(bit << place for place, bit in enumerate(bits))
        return status | (64 if status & self._service_mask else 0)

    def _power_cycle(self) -> None:
        self._outputs.power_cycle()
        self._scanner.reset(self._now)

    def _reset(self, arguments: Arguments) -> None:
        _only(arguments, 99, 99)
        self._bridge.curves.reset()
        self._bridge.reset(self._now)
        self._outputs.reset()
        self._inputs.reset()
        self._panel.reset()
        self._scanner.reset(self._now)
        self._event_mask = self._service_mask = 0


def _leave_emulation(arguments: Arguments) -> None:
    _only(arguments, 0, 1)


def _only(arguments: Arguments, low: int, high: int) -> int:
    words = arguments.take(1)
    return number(words[0], low, high)
