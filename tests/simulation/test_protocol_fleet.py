"""What happens to whole fleets: cold start, rolling deploy, growth (PROTOCOL section 6)."""

from __future__ import annotations

from collections import Counter

import pytest

from kcl_py.config import LeaseConfig, WorkerConfig
from kcl_py.core.leases.writes import WriteKind
from kcl_py.testing.world import World
from tests.simulation.fleet import (
    all_processing,
    count_applied,
    finish_cleanly,
    is_balanced,
    running_world,
)


def test_twelve_workers_share_sixty_four_shards_at_once() -> None:
    world = World(workers=12, shards=64)
    takes = count_applied(world, WriteKind.TAKE)

    took = world.run_until(lambda: is_balanced(world, 64), within=60)

    assert took <= 30
    assert len(takes) <= 64 * 2
    for worker in world.living():
        assert len(world.held(worker)) in (5, 6)


def test_a_rolling_deploy_moves_each_lease_once_and_duplicates_nothing() -> None:
    world = running_world(workers=4, shards=8)
    takes = count_applied(world, WriteKind.TAKE)
    old = world.living()
    for worker in old:
        world.start_worker()
        world.run_for(15)
        worker.stop()
        world.run_for(15)

    finish_cleanly(world)

    assert not any(worker.alive for worker in old)
    assert world.records.duplicates() == {}
    moves = Counter(change.write.key for change in takes)
    assert max(moves.values()) <= 3


def second_fleet(*, apart: float) -> tuple[World, Counter[str]]:
    """Three new workers join three old ones, which then leave `apart` seconds after each other."""
    world = running_world(workers=3, shards=9)
    old = world.living()
    for _ in range(3):
        world.start_worker()
    world.run_until(lambda: is_balanced(world, 9), within=120)
    world.run_for(20)
    takes = count_applied(world, WriteKind.TAKE)
    for worker in old:
        worker.stop()
        world.run_for(apart)
    world.run_until(lambda: len(world.living()) == 3, within=60)
    finish_cleanly(world)
    return world, Counter(change.write.key for change in takes)


@pytest.mark.parametrize("apart", [0.0, 1.0, 8.0])
def test_a_deploy_of_a_second_fleet_moves_each_lease_once(apart: float) -> None:
    world, moves = second_fleet(apart=apart)

    assert world.records.duplicates() == {}
    assert max(moves.values()) <= 1


def test_a_quiet_fleet_moves_nothing() -> None:
    world = running_world(workers=3, shards=7)
    moves = count_applied(world, WriteKind.TAKE, WriteKind.REQUEST, WriteKind.TRANSFER)

    world.run_for(300)

    assert moves == []


def test_more_workers_than_shards_is_no_reason_to_move() -> None:
    world = running_world(workers=3, shards=1)
    world.start_worker()
    world.start_worker()
    moves = count_applied(world, WriteKind.TAKE, WriteKind.REQUEST)

    world.run_for(120)

    assert moves == []


def test_nobody_takes_more_than_its_maximum() -> None:
    modest = WorkerConfig(leases=LeaseConfig(max_leases=2))
    world = World(workers=0, shards=6)
    world.put_steadily(5)
    small = world.start_worker(config=modest)
    world.start_worker()
    world.run_until(
        lambda: all_processing(world, world.open_keys()) and len(world.open_keys()) == 6, within=60
    )

    world.run_for(60)

    assert len(world.held(small)) <= 2


@pytest.mark.parametrize("duration", [3.0, 20.0])
def test_other_durations_keep_the_kill_bound(duration: float) -> None:
    config = WorkerConfig(leases=LeaseConfig(duration=duration))
    world = running_world(workers=2, shards=4, config=config)
    victim = world.living()[0]
    keys = world.held(victim)

    victim.kill()
    took = world.run_until(lambda: all_processing(world, keys), within=5 * duration)

    assert took <= duration + 1.21 * duration / 3 + 0.5
    finish_cleanly(world)


def test_workers_with_different_durations_do_not_overlap() -> None:
    world = World(workers=0, shards=2)
    world.put_steadily(10)
    patient = world.start_worker(config=WorkerConfig(leases=LeaseConfig(duration=15.0)))
    world.run_for(10)
    world.start_worker(config=WorkerConfig(leases=LeaseConfig(duration=4.0)))
    world.run_for(40)
    patient.pause()
    world.run_for(30)
    patient.resume()

    finish_cleanly(world)
