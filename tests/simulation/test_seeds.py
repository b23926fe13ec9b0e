"""Random worlds: whatever goes wrong in them, the promises hold."""

from __future__ import annotations

import pytest

from kcl_py.testing.seeds import simulate

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_world_keeps_all_promises(seed: int) -> None:
    outcome = simulate(seed)

    assert outcome.failure is None, outcome.story()


def test_the_same_seed_gives_the_same_log_byte_for_byte() -> None:
    one, other = simulate(3), simulate(3)

    assert one.world.trace.text() == other.world.trace.text()
    assert one.events > 1000
