"""A small thermal network: stages with heat capacity, links, cooling and heaters.

Every step is an implicit one in the stages' heat content, so that energy is accounted for exactly
and a step of an hour is as stable as one of a millisecond: a long step ends where things settle.
"""

import attrs

__all__ = ["Cooling", "Link", "PowerLaw", "Stage", "ThermalModel"]

COLDEST_K = 1e-4
"""No stage gets colder; it keeps power laws away from zero."""

_PRECISION = 1e-8
_MAX_ITERATIONS = 80


@attrs.frozen
class PowerLaw:
    """A quantity that goes as ``scale * T**exponent``; exponent 0 is a constant."""

    scale: float
    exponent: float

    def value(self, temperature_k: float) -> float:
        """Return it at a temperature."""
        return float(self.scale * temperature_k**self.exponent)

    def integral(self, temperature_k: float) -> float:
        """Return its integral from 0 K to a temperature."""
        return float(self.scale * temperature_k ** (self.exponent + 1) / (self.exponent + 1))


@attrs.frozen
class Cooling:
    """Cooling power ``scale * (T**exponent - lowest**exponent)`` in watts.

    Attributes:
        scale: watts per kelvin to the exponent.
        exponent: 1 of a pulse tube near its working point, 2 of a dilution refrigerator.
        lowest_k: where nothing is left of it.
    """

    scale: float
    exponent: float
    lowest_k: float

    def power_w(self, temperature_k: float) -> float:
        """Return the heat it takes out of a stage at a temperature; negative below the lowest."""
        return self.scale * float(temperature_k**self.exponent - self.lowest_k**self.exponent)

    def slope(self, temperature_k: float) -> float:
        """Return by how many watts the power rises a kelvin."""
        return self.scale * self.exponent * float(temperature_k ** (self.exponent - 1))


@attrs.frozen
class Stage:
    """A body of one temperature.

    Attributes:
        name: as on the cryostat.
        heat_capacity: joules per kelvin.
        cooling: what takes heat out of it; None if only its links do.
    """

    name: str
    heat_capacity: PowerLaw
    cooling: Cooling | None = None


@attrs.frozen
class Link:
    """A heat conductor: ``scale * (T1**exponent - T2**exponent)`` watts from one to the other."""

    one: str
    other: str
    scale: float
    exponent: float


class ThermalModel:
    """Stages in motion.

    Args:
        stages: the bodies.
        links: what conducts heat between them; they name stages.
        temperatures_k: where the stages begin, in their order.
    """

    def __init__(
        self, stages: tuple[Stage, ...], links: tuple[Link, ...], temperatures_k: list[float]
    ) -> None:
        self.stages = stages
        self.temperatures_k = list(temperatures_k)
        index = {stage.name: number for number, stage in enumerate(stages)}
        self._links = [
            (index[link.one], index[link.other], link.scale, link.exponent) for link in links
        ]

    def outflow_w(self, temperatures_k: list[float], cooling: list[float]) -> list[float]:
        """Return the heat that leaves each stage, by cooling and links together.

        Args:
            temperatures_k: of all stages.
            cooling: factor to each stage's cooling power.
        """
        out = [
            factor * stage.cooling.power_w(t) if stage.cooling else 0.0
            for stage, t, factor in zip(self.stages, temperatures_k, cooling, strict=True)
        ]
        for one, other, scale, exponent in self._links:
            flow = scale * (temperatures_k[one] ** exponent - temperatures_k[other] ** exponent)
            out[one] += flow
            out[other] -= flow
        return out

    def energy_j(self) -> float:
        """Return the heat content of all stages, counted from 0 K."""
        return sum(
            stage.heat_capacity.integral(t)
            for stage, t in zip(self.stages, self.temperatures_k, strict=True)
        )

    def advance(self, elapsed_s: float, heat_w: list[float], cooling: list[float]) -> None:
        """Go on by one step of any length.

        Args:
            elapsed_s: the step.
            heat_w: heat put into each stage all the while.
            cooling: factor to each stage's cooling power.
        """
        contents_j = [
            stage.heat_capacity.integral(t)
            for stage, t in zip(self.stages, self.temperatures_k, strict=True)
        ]
        temperatures_k = self.temperatures_k
        for _ in range(_MAX_ITERATIONS):
            changes_k = self._newton(temperatures_k, contents_j, elapsed_s, heat_w, cooling)
            # A quarter at most downwards, so that a power law is never asked below zero.
            temperatures_k = [
                max(t + change, t / 4, COLDEST_K)
                for t, change in zip(temperatures_k, changes_k, strict=True)
            ]
            if all(
                abs(change) <= _PRECISION * t
                for t, change in zip(temperatures_k, changes_k, strict=True)
            ):
                break
        self.temperatures_k = temperatures_k

    def _newton(
        self,
        temperatures_k: list[float],
        contents_j: list[float],
        elapsed_s: float,
        heat_w: list[float],
        cooling: list[float],
    ) -> list[float]:
        """Return Newton's correction towards the temperatures at the end of the step."""
        out_w = self.outflow_w(temperatures_k, cooling)
        count = len(self.stages)
        matrix = [[0.0] * count for _ in range(count)]
        missing_j = []
        for i, stage in enumerate(self.stages):
            t = temperatures_k[i]
            missing_j.append(
                contents_j[i] - stage.heat_capacity.integral(t) + elapsed_s * (heat_w[i] - out_w[i])
            )
            slope = cooling[i] * stage.cooling.slope(t) if stage.cooling else 0.0
            matrix[i][i] = stage.heat_capacity.value(t) + elapsed_s * slope
        for one, other, scale, exponent in self._links:
            factor = elapsed_s * scale * exponent
            slope_one = factor * temperatures_k[one] ** (exponent - 1)
            slope_other = factor * temperatures_k[other] ** (exponent - 1)
            matrix[one][one] += slope_one
            matrix[one][other] -= slope_other
            matrix[other][other] += slope_other
            matrix[other][one] -= slope_one
        return _solve(matrix, missing_j)


def _solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Solve a small system in place; its diagonal dominates, so nothing is exchanged."""
    count = len(right)
    for pivot in range(count):
        row = matrix[pivot]
        for lower in range(pivot + 1, count):
            factor = matrix[lower][pivot]
            if factor:
                factor /= row[pivot]
                target = matrix[lower]
                for column in range(pivot + 1, count):
                    target[column] -= factor * row[column]
                right[lower] -= factor * right[pivot]
    for pivot in range(count - 1, -1, -1):
        row = matrix[pivot]
        rest = sum(row[column] * right[column] for column in range(pivot + 1, count))
        right[pivot] = (right[pivot] - rest) / row[pivot]
    return right
