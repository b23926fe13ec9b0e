"""What befalls the fleet? The stories of the table, and the run of one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from kcl_py.testing.scale.actors import Assumptions, State, Worker
from kcl_py.testing.scale.departure import Departures
from kcl_py.testing.scale.fleet import Fleet
from kcl_py.testing.scale.handoff import Handoffs
from kcl_py.testing.scale.splitting import Splits
from kcl_py.testing.scale.table import OutOfTimeError
from kcl_py.testing.scale.takeover import Takeovers

CALM_SECONDS = 15.0
"""Before anything happens, and after everything has settled."""

LIMIT_SECONDS = 600.0
"""Virtual seconds after which a fleet that has not settled never does."""

STOP_TO_START = 3.0
START_TO_STOP = 3.0
STEP_SECONDS = 5.0
"""Pace of a rolling deploy: from one to the next; what goes, and what comes, 3 s apart.
Source: the earlier estimate, which used the same."""

STEPS_MAX = 100
"""Steps of a rolling deploy: larger fleets replace several workers at a time."""

_CHUNK = 0.5
_SHOWS_AFTER = 1.5
"""Seconds until the rows of newcomers, and the children of shards, are there."""


@dataclass(slots=True)
class Run:
    """One scenario at one size, and what it brought.

    Attributes:
        ideal: Moves that no plan can do without.
        begun_at, settled_at: When the last thing befell the fleet, and when all was settled.
        not_before: Until then it only looks settled, because nothing shows yet.
    """

    fleet: Fleet
    handoffs: Handoffs
    takeovers: Takeovers
    departures: Departures
    splits: Splits
    ideal: int = 0
    begun_at: float = CALM_SECONDS
    not_before: float = CALM_SECONDS
    settled_at: float | None = None
    dark: list[float] = field(default_factory=list)


Story: TypeAlias = Callable[[Run], None]


def make_run(
    seed: int, workers: int, shards: int, assumptions: Assumptions, clock: Callable[[], float]
) -> Run:
    """Make a fleet to which nothing has happened yet."""
    fleet = Fleet(seed, workers=workers, shards=shards, assumptions=assumptions, clock=clock)
    handoffs, takeovers = Handoffs(fleet), Takeovers(fleet)
    return Run(fleet, handoffs, takeovers, Departures(fleet, handoffs), Splits(fleet, takeovers))


def play(run: Run, story: Story, *, out_of_time: Callable[[], bool]) -> None:
    """Let the story happen, and then time pass until the fleet has settled.

    Raises:
        OutOfTimeError: The budget ended first.
    """
    heap = run.fleet.heap
    heap.at(CALM_SECONDS, lambda: story(run))
    limit = CALM_SECONDS + LIMIT_SECONDS
    calm_since: float | None = None
    while heap.now < limit and (calm_since is None or heap.now - calm_since < CALM_SECONDS):
        # The clock is read between events, and only now and then.
        heap.run_until(heap.now + _CHUNK, stop=_now_and_then(out_of_time))
        if out_of_time():
            raise OutOfTimeError
        if heap.now < run.not_before or not run.fleet.is_converged():
            calm_since, limit = None, max(limit, run.not_before + LIMIT_SECONDS)
        elif calm_since is None or run.fleet.table.changed_at > calm_since:
            calm_since = heap.now
    run.fleet.accrue()
    if calm_since is not None:
        run.settled_at = max(run.begun_at, run.fleet.table.changed_at)


def _now_and_then(out_of_time: Callable[[], bool]) -> Callable[[], bool]:
    count = 0

    def stop() -> bool:
        nonlocal count
        count += 1
        return count % 64 == 0 and out_of_time()

    return stop


# ------------------------------------------------------------------------------------------ stories


def _steady(run: Run) -> None:
    del run


def _join(run: Run, count: int) -> None:
    table, living = run.fleet.table, len(run.fleet.living())
    run.ideal = count * (len(table.leases) // (living + count))
    for _ in range(count):
        run.fleet.join()
    run.dark = run.handoffs.dark
    run.not_before = run.fleet.now + _SHOWS_AFTER


def _kill(run: Run, count: int) -> None:
    victims = run.fleet.living()[:count]
    run.ideal = sum(len(worker.leases) for worker in victims)
    run.fleet.kill(victims)
    run.dark = run.takeovers.dark


def _stop(run: Run) -> None:
    leaver = run.fleet.living()[0]
    run.ideal = len(leaver.leases)
    run.departures.stop(leaver)
    run.dark = run.departures.dark


def _roll(run: Run, *, surge: bool) -> None:
    fleet = run.fleet
    old = fleet.living()
    run.ideal = len(fleet.table.leases)
    run.dark = run.departures.dark
    at_once = -(-len(old) // STEPS_MAX)
    for step, first in enumerate(range(0, len(old), at_once)):
        some = old[first : first + at_once]
        begins = fleet.now + step * STEP_SECONDS
        starts = begins if surge else begins + STOP_TO_START
        stops = begins + START_TO_STOP if surge else begins
        fleet.heap.at(starts, lambda some=some: _start_all(fleet, some))  # type: ignore[misc]
        fleet.heap.at(stops, lambda some=some: _stop_all(run, some))  # type: ignore[misc]
        run.begun_at = max(starts, stops)
    run.not_before = run.begun_at + _SHOWS_AFTER


def _start_all(fleet: Fleet, like: list[Worker]) -> None:
    for _ in like:
        fleet.join()


def _stop_all(run: Run, some: list[Worker]) -> None:
    for worker in some:
        run.departures.stop(worker)


def _double_shards(run: Run) -> None:
    run.splits.split_all()
    run.dark = run.takeovers.dark
    run.not_before = run.fleet.now + run.fleet.assume.idle + _SHOWS_AFTER


SCENARIOS: dict[str, Story] = {
    "steady": _steady,
    "join of 1": lambda run: _join(run, 1),
    "join of 10 %": lambda run: _join(run, max(1, len(run.fleet.living()) // 10)),
    "doubling of workers": lambda run: _join(run, len(run.fleet.living())),
    "kill of 1": lambda run: _kill(run, 1),
    "zone lost": lambda run: _kill(run, len(run.fleet.living()) // 3),
    "stop of 1": _stop,
    "surge deploy": lambda run: _roll(run, surge=True),
    "stop-first deploy": lambda run: _roll(run, surge=False),
    "doubling of shards": _double_shards,
}
"""By the name that the table uses."""


def unsettled_leases(run: Run) -> list[str]:
    """Return the keys of the leases that are not simply held, for whoever asks why."""
    settled = (State.HELD, State.ENDED)
    return [lease.key for lease in run.fleet.table.leases if lease.state not in settled]
