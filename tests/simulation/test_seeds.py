"""Random worlds: whatever goes wrong in them, the promises hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcl_py.testing.seeds.plans import DEED_NAMES, draw_plan, dump_plan, load_plan, meddled
from kcl_py.testing.seeds.search import search
from kcl_py.testing.seeds.simulate import simulate, simulate_plan

SEEDS = range(40)
KEPT = sorted((Path(__file__).resolve().parents[1] / "seeds").glob("*.json"))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_world_keeps_all_promises(seed: int) -> None:
    outcome = simulate(seed)

    assert outcome.failure is None, outcome.story()


@pytest.mark.parametrize("seed", range(12))
def test_a_world_in_which_somebody_writes_by_hand_keeps_all_promises(seed: int) -> None:
    outcome = simulate_plan(meddled(draw_plan(seed)))

    assert outcome.failure is None, outcome.story()


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_world_that_once_broke_a_promise_keeps_it_now(path: Path) -> None:
    outcome = simulate_plan(load_plan(path.read_bytes()))

    assert outcome.failure is None, outcome.story()


def test_the_same_seed_gives_the_same_log_byte_for_byte() -> None:
    one, other = simulate(3), simulate(3)

    assert one.world.trace.text() == other.world.trace.text()
    assert one.events > 1000


def test_processes_that_search_together_find_what_one_finds() -> None:
    alone = list(search(range(7), jobs=1, with_digest=True))
    together = list(search(range(7), jobs=2, with_digest=True))

    assert alone == together
    assert len({result.digest for result in alone}) == 7


def test_seeds_do_everything_that_the_nemesis_knows() -> None:
    plans = [draw_plan(seed) for seed in range(1500)]

    done = {deed.name for plan in plans for deed in plan.deeds}
    assert done == set(DEED_NAMES)
    assert {plan.ending for plan in plans} == {"heal", "drop", "recreate", "restore"}
    assert any(plan.scale.workers >= 20 for plan in plans)


def test_worlds_are_as_large_as_promised_on_average() -> None:
    scales = [draw_plan(seed).scale for seed in range(2000)]

    assert 3.5 < sum(scale.workers for scale in scales) / 2000 < 5.5
    assert 6.0 < sum(scale.shards for scale in scales) / 2000 < 10.0
    small = sum(scale.workers <= 3 and scale.shards <= 4 for scale in scales)
    assert 0.4 < small / 2000 < 0.6


def test_a_plan_survives_its_file() -> None:
    for seed in range(50):
        plan = draw_plan(seed)
        assert load_plan(dump_plan(plan)) == plan
