"""Does the reduced model of the scale table do what real cores do, where both can be run?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from statistics import fmean, median

import pytest

from kcl_py.testing.scale import fleet
from kcl_py.testing.scale.actors import Assumptions
from kcl_py.testing.scale.figures import Figures, simulate
from kcl_py.testing.scale.units import measured
from kcl_py.testing.world import World
from tests.simulation.scale_world import Measured, idle, join, kill, measure, stop

pytestmark = pytest.mark.slow

SIZE = (10, 100)
AS_IN_THE_WORLD = Assumptions(slow=0.0, index_lag=(0.0, 0.2))
MODEL_SEEDS = range(1, 9)

STORIES: dict[str, tuple[Callable[[World], None], float]] = {
    "join of 1": (join(1), 30.0),
    "doubling of workers": (join(10), 40.0),
    "kill of 1": (kill(1), 40.0),
    "zone lost": (kill(3), 45.0),
    "stop of 1": (stop, 15.0),
}


def reduced(scenario: str, assumptions: Assumptions = AS_IN_THE_WORLD) -> list[Figures]:
    clock = map(float, count())
    rows = [
        simulate(SIZE, scenario, seed=s, clock=lambda: next(clock), assumptions=assumptions)
        for s in MODEL_SEEDS
    ]
    assert all(isinstance(row, Figures) for row in rows)
    return [row for row in rows if isinstance(row, Figures)]


def real(scenario: str, seed: int = 1) -> Measured:
    event, seconds = STORIES[scenario]
    return measure(seed, *SIZE, event, seconds)


@pytest.mark.parametrize("scenario", STORIES)
def test_moves_and_times_are_those_of_real_cores(scenario: str) -> None:
    found, model = real(scenario), reduced(scenario)

    moves = [row.moves for row in model]
    assert found.moves == pytest.approx(fmean(moves), rel=0.15, abs=1 + max(moves) - min(moves))
    settled = [row.settled for row in model if row.settled is not None]
    assert len(settled) == len(model)
    assert 0.75 * min(settled) <= found.settled <= 1.25 * max(settled)
    dark = [row.dark for row in model if row.dark is not None]
    assert median(found.dark) == pytest.approx(fmean(d[0] for d in dark), rel=0.15, abs=0.3)
    assert max(found.dark) == pytest.approx(fmean(d[2] for d in dark), rel=0.15, abs=0.4)


def test_units_are_those_of_real_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measure(1, *SIZE, idle, 30.0)
    # Its rows are shorter: short worker ids, and shards without parents.
    rows = replace(measured(), lease_bytes=found.lease_bytes)
    monkeypatch.setattr(fleet, "measured", lambda: rows)
    model = reduced("steady")

    assert found.reads == pytest.approx(fmean(row.spend.reads for row in model), rel=0.05)
    assert found.writes == pytest.approx(fmean(row.spend.writes for row in model), rel=0.03)
