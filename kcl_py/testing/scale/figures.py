"""What is told of one run?"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from kcl_py.testing.scale.actors import Assumptions
from kcl_py.testing.scale.scenarios import SCENARIOS, make_run, play
from kcl_py.testing.scale.spend import Spend, spent_by
from kcl_py.testing.scale.table import OutOfTimeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kcl_py.testing.scale.scenarios import Run

Size = tuple[int, int]
"""Workers and shards."""

SIZES: tuple[Size, ...] = (
    (10, 100),
    (20, 500),
    (100, 2_000),
    (100, 10_000),
    (1_000, 10_000),
    (1_000, 100_000),
)

_TICKS = ((200_000, 0.0), (10**12, 1.0))
"""Up to this product of workers and shards, scans so many seconds apart share a plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One row of the table; times are seconds.

    Attributes:
        settled: From the (last) event until all is held and balanced; None: not within 600 s.
        dark: Median, 99 %, and longest time that a shard which moved was processed by nobody.
        refused: Takes and requests that came too late, and requests refused by their owner.
        needless_reads: Rows read by those who stood by for a lease that its designee had taken.
        most_reads: Most rows that one worker reads so at once.
        plans: How many distinct plans were computed.
        plan_seconds: The slowest of them, in seconds of a core of the machine of this run.
    """

    workers: int
    shards: int
    scenario: str
    moves: int
    ideal: int
    settled: float | None
    dark: tuple[float, float, float] | None
    spend: Spend
    refused: int
    needless_reads: int
    most_reads: int
    plans: int
    plan_seconds: float

    @property
    def size(self) -> Size:
        """Workers and shards."""
        return self.workers, self.shards


@dataclass(frozen=True, slots=True)
class Stopped:
    """A row that was not reached."""

    workers: int
    shards: int
    scenario: str

    @property
    def size(self) -> Size:
        """Workers and shards."""
        return self.workers, self.shards


Row = Figures | Stopped


def tick_of(size: Size) -> float:
    """Return how far apart scans may be that share a plan, seconds."""
    return next(tick for most, tick in _TICKS if size[0] * size[1] <= most)


def simulate(
    size: Size,
    scenario: str,
    *,
    seed: int,
    clock: Callable[[], float],
    until: float = float("inf"),
    assumptions: Assumptions | None = None,
) -> Row:
    """Run one scenario.

    Args:
        clock: Wall-clock seconds, for the budget and the time that plans take.
        until: What the clock shows when the budget is used up.
        assumptions: None: the usual ones, with the tick of this size.
    """
    if clock() >= until:
        return Stopped(*size, scenario)
    assume = assumptions or Assumptions(tick=tick_of(size))
    try:
        run = make_run(seed, *size, assume, clock)
        run.fleet.table.deadline = until
        play(run, SCENARIOS[scenario], out_of_time=lambda: clock() >= until)
    except OutOfTimeError:
        return Stopped(*size, scenario)
    return figures_of(run, size, scenario)


def figures_of(run: Run, size: Size, scenario: str) -> Figures:
    """Return what a run that has ended brought."""
    plans = run.fleet.table.plan_seconds
    return Figures(
        workers=size[0],
        shards=size[1],
        scenario=scenario,
        moves=run.fleet.table.moves,
        ideal=run.ideal,
        settled=None if run.settled_at is None else run.settled_at - run.begun_at,
        dark=quantiles(run.dark),
        spend=spent_by(run.fleet),
        refused=run.takeovers.collisions + run.handoffs.collisions + run.handoffs.cancelled,
        needless_reads=run.takeovers.needless_reads,
        most_reads=run.takeovers.most_reads,
        plans=len(plans),
        plan_seconds=max(plans, default=0.0),
    )


def quantiles(values: Sequence[float]) -> tuple[float, float, float] | None:
    """Return median, 99 % and maximum; None of nothing."""
    if not values:
        return None
    ascending = sorted(values)
    median, most = (ascending[ceil(share * len(ascending)) - 1] for share in (0.5, 0.99))
    return median, most, ascending[-1]
