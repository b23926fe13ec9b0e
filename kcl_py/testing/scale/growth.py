"""Which figure grows faster than the fleet? A power law fitted over the sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

from kcl_py.testing.scale.figures import Figures, Row

FASTER = 1.1
"""Exponent from which on growth counts as faster than linear."""

_POINTS_MIN = 3

FIGURES: dict[str, Callable[[Figures], float]] = {
    "read units/s": lambda row: row.spend.reads,
    "write units/s": lambda row: row.spend.writes,
    "moves": lambda row: row.moves,
    "settled, s": lambda row: row.settled or 0.0,
    "dark max, s": lambda row: row.dark[2] if row.dark else 0.0,
    "needless reads": lambda row: row.needless_reads,
    "slowest plan, s": lambda row: row.plan_seconds,
}
"""What is fitted, by name."""


@dataclass(frozen=True, slots=True)
class Growth:
    """One figure of one scenario.

    Attributes:
        exponent: The figure grows as (workers + shards) to this power.
        points: From how many sizes.
    """

    scenario: str
    figure: str
    exponent: float
    points: int

    @property
    def is_faster(self) -> bool:
        """It grows faster than linearly."""
        return self.exponent > FASTER


def growths(rows: Sequence[Row]) -> list[Growth]:
    """Return the growth of every figure of every scenario that has enough sizes."""
    found = []
    for scenario in dict.fromkeys(row.scenario for row in rows):
        runs = [r for r in rows if isinstance(r, Figures) and r.scenario == scenario]
        for figure, value in FIGURES.items():
            points = [(r.workers + r.shards, value(r)) for r in runs if value(r) > 0]
            if len({size for size, _ in points}) >= _POINTS_MIN:
                found.append(Growth(scenario, figure, exponent(points), len(points)))
    return found


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the line through the logarithms, by least squares."""
    xs, ys = [log(x) for x, _ in points], [log(y) for _, y in points]
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - x_mean) ** 2 for x in xs)
