"""Does the page of guarantees say what happens when an assumption fails? Seen in simulation."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

import pytest

from kcl_py.core.events import Applied, Refused
from kcl_py.core.leases.writes import RowWrite, WriteKind
from kcl_py.testing.sim.clocks import WORLD_BEGAN_AT
from kcl_py.testing.sim.faults import Fate
from kcl_py.testing.world import World
from tests.docs.pages import DOCS

STEP_SECONDS: Final = 0.01
WATCH_SECONDS: Final = 45.0
DURATION: Final = 10.0
FENCE: Final = 0.999 * DURATION - 0.5


def overlap(rate: float, *, is_cut: bool, is_wall_right: bool = False) -> tuple[float, str]:
    """Let an owner's clocks run at this rate; return for how long two were inside, and the log.

    Args:
        is_cut: The owner does not reach DynamoDB any more.
        is_wall_right: Only its monotonic clock is wrong.
    """
    world = World(1, workers=0, shards=1)
    world.mute_all()  # else the first overlap would end the world
    slow = world.start_worker(rate=rate)
    if not is_wall_right:
        slow.clock.wall = lambda: WORLD_BEGAN_AT + rate * world.now  # type: ignore[method-assign]
    world.run_for(15)
    other = world.start_worker(rate=1.0)
    world.run_for(1)
    if is_cut:
        world.cut(slow, Fate.LOST)
    both = 0
    for _ in range(int(WATCH_SECONDS / STEP_SECONDS)):
        world.run_for(STEP_SECONDS)
        both += all(any(run.is_inside() for run in w.runs.values()) for w in (slow, other))
    return both * STEP_SECONDS, "\n".join(line.what for line in world.trace.lines)


@pytest.mark.parametrize(("rate", "longest"), [(0.95, 0.0), (0.9, 0.6), (0.5, 9.0)])
def test_a_slow_clock_breaks_the_promise_only_beyond_the_margin(
    rate: float, longest: float
) -> None:
    took, _ = overlap(rate, is_cut=True)

    bound = max(0.0, FENCE / rate - DURATION)
    assert took <= bound + STEP_SECONDS
    assert (took > 0) == (longest > 0)
    assert abs(bound - longest) < 0.1  # what the page says


@pytest.mark.parametrize(("rate", "breaks"), [(0.5, False), (0.25, True)])
def test_a_healthy_owner_is_safe_until_it_renews_too_seldom(rate: float, *, breaks: bool) -> None:
    took, _ = overlap(rate, is_cut=False)

    assert (took > 0) == breaks


def test_a_clock_that_falls_behind_the_wall_clock_is_noticed() -> None:
    blind, silent = overlap(0.5, is_cut=True)
    seen, log = overlap(0.5, is_cut=True, is_wall_right=True)

    assert "clock.jumped" in log
    assert "clock.jumped" not in silent
    assert seen == 0.0 < blind


def let_both_win(world: World, key: str) -> list[str]:
    """Break A2 once: the next two takes of a lease at one counter both succeed. Returns whose."""
    takers: list[str] = []
    apply = world.table.apply

    def broken(worker: str, write: RowWrite, sent_at: float) -> Applied | Refused:
        if write.kind is not WriteKind.TAKE or write.key != key or len(takers) == 2:
            return apply(worker, write, sent_at)
        takers.append(worker)
        if len(takers) == 1:  # it is under way until the other one is there, too
            within = world.now + 1.9
            if world.heap.run_until(within, stop=lambda: len(takers) == 2):
                write = replace(write, tests=())
        return apply(worker, write, sent_at)

    world.table.apply = broken  # type: ignore[method-assign]
    return takers


@pytest.mark.parametrize("seed", range(3))
def test_two_takes_that_both_win_have_one_token_and_end_at_the_next_renewal(seed: int) -> None:
    world = World(seed, workers=3, shards=3)
    world.mute_all()
    world.put_steadily(20.0)
    world.run_for(40)
    key = world.open_keys()[0]
    takers = let_both_win(world, key)
    began = len(world.trace.lines)

    next(worker for worker in world.living() if key in world.held(worker)).kill()
    world.run_for(40)

    lines = [line for line in world.trace.lines[began:] if line.key == key]
    taken = [line for line in lines if line.what == "lease.taken"]
    lost = [line for line in lines if line.what == "lease.lost"]
    assert sorted(line.who for line in taken) == sorted(takers)
    assert len({line.facts[0] for line in taken}) == 1
    assert str(taken[0].facts[0]).startswith("token=")
    assert len(lost) == 1
    assert lost[0].at - taken[0].at < DURATION / 3 + 0.1


def test_the_page_has_these_figures() -> None:
    text = (DOCS / "explanation" / "guarantees.md").read_text(encoding="utf-8")

    rows = re.findall(r"^\| (\d+) % \| ([\d.]+) s \|$", text, re.MULTILINE)
    assert rows == [("95", "0"), ("90", "0.5"), ("50", "9.0")]
    for rate, seconds in rows:
        bound = max(0.0, FENCE / (int(rate) / 100) - DURATION)
        assert round(bound, 1) == float(seconds)
