"""One run of a software loop: read a channel, set a heater, and know when not to.

    preparing --ready--> controlling --no usable reading--> suspended (heater at zero)
        ^                    ^                                  |
        |                    +---------- good reading ----------+
        +-- the unit is away: try again, the heater stays as the unit has it

It ends when it is stopped, when the site or the unit does not allow something, and when somebody
else changes the heater.
"""

import math
import threading
from collections.abc import Callable

import attrs

from agents.lakeshore.link import Cancelled, InstrumentUnavailable, WrongInstrument
from agents.lakeshore.messages import BadReply
from agents.lakeshore.outage import BAD_REPLIES_BEFORE_DEGRADED, Backoff
from agents.lakeshore372 import input_codec
from agents.lakeshore372.channel_reader import ChannelReader, ChannelReading, UnusableReading
from agents.lakeshore372.output_params import Wait
from agents.lakeshore372.outputs import Outputs
from agents.lakeshore372.pid_heater import PidHeater
from agents.lakeshore372.servo import to_channel
from agents.lakeshore372.software_pid import PiController, PiTerms
from ocs.ocs_agent import OpSession

__all__ = ["LoopSettings", "PidLoop"]

SHORTEST_PATIENCE_S = 2.0
"""Without a new reading for this long, and for two updates, the heater goes to zero."""


@attrs.frozen
class LoopSettings:
    """What a client asks of a loop.

    Attributes:
        setpoint_k: temperature to hold in kelvin.
        channel: whose temperature, 1 to 16.
        heater: what clients call the heater: ``sample`` or ``still``.
        gain_w_per_k: see `PiTerms`.
        integral_hz: see `PiTerms`.
        update_s: seconds between changes of the heater.
        query_s: seconds between readings.
        once: end after one change of the heater.
    """

    setpoint_k: float
    channel: int
    heater: str
    gain_w_per_k: float
    integral_hz: float
    update_s: float
    query_s: float
    once: bool


class PidLoop:
    """Holds a temperature until stopped.

    Args:
        session: told about degradation, and what was done.
        settings: what to do.
        outputs: speaks with the unit; its calls end when ``stop`` is set.
        heater: what to heat with.
        publish: called with each output that the unit has confirmed, in the unit's terms.
        stop: ends the loop when set.
        clock: Unix time in seconds, for the readings' time stamps.
        steady: seconds that only ever grow, for all else.
        wait: how time passes between readings.
    """

    def __init__(
        self,
        session: OpSession,
        settings: LoopSettings,
        outputs: Outputs,
        heater: PidHeater,
        publish: Callable[[float], None],
        stop: threading.Event,
        *,
        clock: Callable[[], float],
        steady: Callable[[], float],
        wait: Wait,
    ) -> None:
        self._session = session
        self._settings = settings
        self._outputs = outputs
        self._heater = heater
        self._publish = publish
        self._stop = stop
        self._steady = steady
        self._wait = wait
        self._backoff = Backoff()
        self._reader = ChannelReader(outputs.ask, settings.channel, clock=clock)
        self._controller: PiController | None = None
        self._readings: list[ChannelReading] = []
        self._updated_s = 0.0
        self._reading_due_s: float | None = None
        self._power_w: float | None = None
        self._trouble: str | None = None
        self._bad_in_a_row = 0
        self._finished = False

    def run(self) -> None:
        """Hold the temperature.

        Raises:
            InstrumentError: the site or the unit does not allow something, or somebody else has
                changed the heater.
        """
        while not (self._stop.is_set() or self._finished):
            pause_s = self._settings.query_s
            try:
                self._turn(self._controller or self._prepare())
            except Cancelled:
                return
            except (InstrumentUnavailable, WrongInstrument) as error:
                self._lose_link(str(error))
                pause_s = self._backoff.next_delay_s()
            except BadReply as error:
                self._bad_in_a_row += 1
                if self._bad_in_a_row >= BAD_REPLIES_BEFORE_DEGRADED:
                    # Again each time, until the heater is at zero; but the first words will do.
                    self._suspend(self._trouble or str(error))
            self._wait(self._stop, pause_s)

    def _prepare(self) -> PiController:
        """Make scanner and heater ready; the heater is at zero then."""
        settings, outputs = self._settings, self._outputs
        maximum_w = self._heater.prepare()
        self._power_w = 0.0
        moved = to_channel(outputs, settings.channel)
        pause_s = outputs.ask(input_codec.input_settings(settings.channel)).pause_s if moved else 0
        self._updated_s = self._steady()
        self._reading_due_s = self._steady() + pause_s + self._patience_s
        self._controller = PiController(
            PiTerms(
                setpoint_k=settings.setpoint_k,
                gain_w_per_k=settings.gain_w_per_k,
                integral_hz=settings.integral_hz,
                maximum_w=maximum_w,
            )
        )
        self._session.add_message(
            f"Holding channel {settings.channel} at {settings.setpoint_k:g} K with the "
            f"{self._heater.name}, up to {maximum_w:.3g} W."
        )
        return self._controller

    @property
    def _patience_s(self) -> float:
        settings = self._settings
        return max(SHORTEST_PATIENCE_S, 2 * settings.update_s, 3 * settings.query_s)

    def _turn(self, controller: PiController) -> None:
        """Take a reading if there is a new one, and change the heater when it is time to."""
        try:
            self._read()
        except UnusableReading as error:
            self._suspend(str(error))
            return
        now = self._steady()
        if self._readings and now >= self._updated_s + self._settings.update_s:
            self._update(controller, now)

    def _read(self) -> None:
        """Take a reading if there is a new one.

        Raises:
            UnusableReading: it must not be acted on, or there has been none for too long.
        """
        reading = self._reader.read()
        now = self._steady()
        self._bad_in_a_row = 0
        self._backoff.reset()
        if reading is not None:
            self._take(reading, now)
        elif self._reading_due_s is None:
            self._reading_due_s = now + self._patience_s
        elif now >= self._reading_due_s:
            raise UnusableReading(
                f"The unit makes no new readings of channel {self._settings.channel}."
            )

    def _take(self, reading: ChannelReading, now: float) -> None:
        self._readings.append(reading)
        self._reading_due_s = now + self._patience_s
        if self._trouble is not None:
            self._trouble = None
            # What was lost must not be made up for.
            self._updated_s = now
            self._session.degraded = False
            self._session.add_message("Good readings again: the loop goes on.")

    def _update(self, controller: PiController, now: float) -> None:
        readings = self._readings
        mean_k = math.fsum(reading.temperature_k for reading in readings) / len(readings)
        power_w = controller.update(mean_k, now - self._updated_s)
        self._readings = []
        self._updated_s = now
        output = self._apply(power_w)
        self._session.data = {
            "fields": {
                f"Channel_{self._settings.channel:02d}": {
                    "T": [reading.temperature_k for reading in readings],
                    "R": [reading.resistance_ohm for reading in readings],
                    "timestamps": [reading.time_s for reading in readings],
                }
            },
            "setpoint": self._settings.setpoint_k,
            "heater": self._settings.heater,
            "power": power_w,
            "output": output,
        }
        self._finished = self._settings.once

    def _apply(self, power_w: float) -> float:
        # Until the unit has confirmed it, nobody knows what the heater has.
        self._power_w = None
        output = self._heater.apply(power_w)
        self._power_w = power_w
        self._publish(output)
        return output

    def _suspend(self, problem: str) -> None:
        """Set the heater to zero, as there is nothing to control it by."""
        self._readings = []
        words = f"The {self._heater.name} is at zero"
        if self._power_w != 0.0:
            try:
                self._apply(0.0)
            except (InstrumentUnavailable, WrongInstrument, BadReply) as error:
                words = f"The {self._heater.name} could not be set to zero ({error})"
        self._degrade(problem, f"{words} until there are good readings again.")

    def _lose_link(self, problem: str) -> None:
        self._readings = []
        self._reading_due_s = None
        if self._controller is None:
            self._degrade(problem, "Trying again.")
            return
        power = "" if self._power_w is None else f" at {self._power_w:.3g} W"
        self._degrade(problem, f"The {self._heater.name} stays as it is{power}. Trying again.")

    def _degrade(self, problem: str, consequence: str) -> None:
        if problem != self._trouble:
            self._trouble = problem
            self._session.degraded = True
            self._session.add_message(f"{problem} {consequence}")
