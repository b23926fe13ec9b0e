"""A checker that never caught anything proves nothing: each is shown a planted bug."""

from __future__ import annotations

import functools

import pytest

from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.faults import Faults
from kcl_py.testing.sim.watch import ViolationError
from kcl_py.testing.world import World
from tests.simulation.toy_core import ToyCore


def toy_world(breaks: str, seed: int = 1, **more: object) -> World:
    make = functools.partial(ToyCore, breaks=breaks)
    world = World(seed, workers=3, shards=4, make_core=make, **more)  # type: ignore[arg-type] # a test's options
    world.put_steadily(20)
    return world


def plague(world: World) -> None:
    """Everything that a toy survives: a crash, a freeze, a stop, a split."""
    world.run_for(8)
    world.living()[0].pause()
    world.run_for(14)
    world.living()[0].resume()
    world.run_for(5)
    world.start_worker()
    world.living()[1].kill()
    world.run_for(15)
    world.stream.split(world.open_keys()[0])
    world.run_for(15)
    max(world.living(), key=lambda worker: len(world.held(worker))).stop()
    world.run_for(15)


@pytest.mark.parametrize("seed", range(3))
def test_a_core_that_breaks_no_rule_passes(seed: int) -> None:
    world = toy_world("", seed)

    plague(world)
    world.heal()
    world.run_until(world.is_settled, within=60)

    assert sum(len(places) for places in world.records.times_delivered.values()) > 1000


@pytest.mark.parametrize(
    ("breaks", "invariant"),
    [
        ("fence from the reply", "I1"),
        ("no margin", "I1"),
        ("takes live leases", "I1"),
        ("releases while running", "I1"),
        ("checkpoint ahead", "I2"),
        ("checkpoint goes back", "I2"),
        ("skips a record", "I5"),
        ("children first", "I4"),
    ],
)
def test_a_planted_bug_is_caught(breaks: str, invariant: str) -> None:
    slow = Habits(per_call=(0.5, 4.0))
    world = toy_world(breaks, faults=Faults(slow=0.1, slow_max=1.5), habits=slow)

    with pytest.raises(ViolationError) as caught:
        plague(world)

    assert caught.value.invariant == invariant


def test_a_second_processor_beside_a_hung_one_is_caught() -> None:
    world = toy_world("takes while running", habits=Habits(hang=0.1, hang_seconds=60.0))
    for worker in world.living()[1:]:
        worker.kill()
    world.run_for(10)
    world.cut(world.living()[0])
    world.run_for(12)
    world.mend(world.living()[0])

    with pytest.raises(ViolationError) as caught:
        world.run_for(20)

    assert caught.value.invariant == "I1"
