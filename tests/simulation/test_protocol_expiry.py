"""What happens when a worker dies, freezes or is cut off (PROTOCOL sections 1 and 3)."""

from __future__ import annotations

import pytest

from kcl_py.core.leases.writes import RowWrite, WriteKind
from kcl_py.testing.sim.clocks import DRIFT_MAX
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.faults import Fate, Faults
from kcl_py.testing.world import World
from tests.simulation.fleet import (
    all_processing,
    count_applied,
    finish_cleanly,
    running_world,
)

D = 10.0
ONE_KILLED_SECONDS = 14.5
MANY_KILLED_SECONDS = 16.0


@pytest.mark.parametrize("seed", range(5))
def test_the_shards_of_a_killed_worker_move_within_the_bound(seed: int) -> None:
    world = running_world(workers=3, shards=6, seed=seed)
    victim = world.living()[0]
    keys = world.held(victim)

    victim.kill()
    took = world.run_until(lambda: all_processing(world, keys), within=60)

    assert D * 0.9 < took <= ONE_KILLED_SECONDS
    finish_cleanly(world)


@pytest.mark.parametrize("seed", range(3))
def test_the_shards_of_many_killed_workers_move_within_the_bound(seed: int) -> None:
    world = running_world(workers=4, shards=8, seed=seed)
    keys = world.open_keys()

    for worker in world.living()[1:]:
        worker.kill()
    took = world.run_until(lambda: all_processing(world, keys), within=60)

    assert took <= MANY_KILLED_SECONDS
    finish_cleanly(world)


def test_a_killed_worker_costs_only_what_was_not_checkpointed() -> None:
    world = running_world(workers=2, shards=2, rate=10)
    victim = world.living()[0]
    (key,) = world.held(victim)
    log = world.stream.logs[key]
    behind = len(log) - log.after(world.row(key).checkpoint)  # type: ignore[arg-type] # a position by now

    victim.kill()
    world.run_for(30)

    assert world.records.duplicates().get(key, 0) <= behind


def test_a_worker_that_freezes_for_longer_than_its_leases_delivers_nothing_more() -> None:
    world = running_world(workers=2, habits=Habits(per_record=(0.2, 0.5)), rate=20)
    frozen = world.living()[0]
    keys = world.held(frozen)
    epochs = {key: epoch.token for key, epoch in frozen.core.held().items()}

    frozen.pause()
    world.run_until(lambda: all_processing(world, keys, not_by=frozen), within=30)
    noted = len(world.trace.lines)
    frozen.resume()
    world.run_for(5)

    late = [
        line
        for line in world.trace.lines[noted:]
        if line.what == "delivered" and line.facts[0] in {f"token={t}" for t in epochs.values()}
    ]
    assert late == []
    finish_cleanly(world)


def test_a_worker_that_freezes_for_half_a_lease_keeps_its_shards() -> None:
    world = running_world(workers=2)
    frozen = world.living()[0]
    before = {key: epoch.token for key, epoch in frozen.core.held().items()}

    frozen.pause()
    world.run_for(D * 0.45)
    frozen.resume()
    world.run_for(5)

    assert {key: epoch.token for key, epoch in frozen.core.held().items()} == before


def test_a_worker_cut_off_from_the_table_fences_itself_before_anybody_takes_over() -> None:
    world = running_world(workers=2)
    victim = world.living()[0]
    keys = world.held(victim)

    world.cut(victim)
    fenced = world.run_until(lambda: not world.held(victim), within=D)
    took = world.run_until(lambda: all_processing(world, keys, not_by=victim), within=20)

    assert fenced + took <= ONE_KILLED_SECONDS + 2.0
    finish_cleanly(world)


def test_a_renewal_that_was_applied_but_timed_out_is_recognised_by_its_nonce() -> None:
    world = running_world(workers=2)
    victim = world.living()[0]
    before = {key: epoch.token for key, epoch in victim.core.held().items()}
    for key in before:

        def is_renewal(worker: str, write: RowWrite, key: str = key) -> bool:
            return write.kind is WriteKind.RENEW and write.key == key

        world.faults.order(is_renewal, Fate.REPLY_LOST)
        world.faults.order(is_renewal, Fate.REPLY_LOST)

    world.run_for(15)

    assert {key: epoch.token for key, epoch in victim.core.held().items()} == before
    assert world.records.duplicates() == {}


def test_a_renewal_that_is_applied_long_after_its_time_out_harms_nobody() -> None:
    world = running_world(workers=2)
    victim = world.living()[0]
    before = {key: epoch.token for key, epoch in victim.core.held().items()}
    for key in before:

        def is_renewal(worker: str, write: RowWrite, key: str = key) -> bool:
            return write.kind is WriteKind.RENEW and write.key == key

        world.faults.order(is_renewal, Fate.LATE, delay=0.1)

    world.run_for(15)

    assert {key: epoch.token for key, epoch in victim.core.held().items()} == before
    finish_cleanly(world)


def test_a_take_that_was_applied_but_timed_out_ends_in_one_owner() -> None:
    world = running_world(workers=2)
    victim, other = world.living()
    world.faults.order(
        lambda worker, write: write.kind is WriteKind.TAKE and worker == other.worker_id,
        Fate.REPLY_LOST,
    )
    keys = world.held(victim)

    victim.kill()
    took = world.run_until(lambda: all_processing(world, keys), within=60)

    assert took <= ONE_KILLED_SECONDS + 2.5
    finish_cleanly(world)


def test_clocks_at_the_ends_of_what_is_allowed_do_not_overlap() -> None:
    world = World(workers=0, shards=1)
    world.put_steadily(5)
    slow = world.start_worker(rate=1 - DRIFT_MAX)
    world.run_for(15)
    fast = world.start_worker(rate=1 + DRIFT_MAX)
    world.run_for(15)

    world.cut(slow)
    world.run_until(lambda: world.owner(world.open_keys()[0]) is fast, within=30)

    finish_cleanly(world)


def test_stale_scans_and_a_lagging_index_move_nothing() -> None:
    world = running_world(workers=3, shards=6)
    takes = count_applied(world, WriteKind.TAKE, WriteKind.REQUEST)

    world.faults.faults = Faults(stale=1.0, stale_max=3.0, index_lag_max=3.0)
    world.run_for(60)

    assert takes == []


def test_nothing_is_lost_while_the_table_throttles_and_fails() -> None:
    world = running_world(workers=2)
    takes = count_applied(world, WriteKind.TAKE)

    world.faults.faults = Faults(throttled=0.2, error=0.05, error_applied=0.05)
    world.run_for(60)

    assert takes == []
    finish_cleanly(world)
