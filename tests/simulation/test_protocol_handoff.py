"""What happens when leases move between the living, and at stop (PROTOCOL sections 4, 5)."""

from __future__ import annotations

import pytest

from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.writes import RowWrite, WriteKind
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.faults import Fate
from kcl_py.testing.sim.table import Change
from kcl_py.testing.sim.worker import SimWorker
from kcl_py.testing.world import World
from tests.simulation.fleet import (
    all_processing,
    count_applied,
    finish_cleanly,
    is_balanced,
    running_world,
    when_applied,
)

GIVEN_SECONDS = 2.0
"""From the old processor's last return to the next processor. Source: section 1 of the design."""

EXPLICIT = Habits(checkpointing="explicit")


def parties(world: World, change: Change) -> tuple[SimWorker, SimWorker]:
    """The victim and the taker of a request."""
    assert isinstance(change.after, LeaseRow)
    owner, checkpoint_owner = change.after.owner, change.after.checkpoint_owner
    assert owner is not None
    assert checkpoint_owner is not None
    return world.workers[checkpoint_owner], world.workers[owner]


@pytest.mark.parametrize("habits", [Habits(), EXPLICIT], ids=["auto", "explicit"])
@pytest.mark.parametrize("seed", range(3))
def test_a_stopping_worker_hands_over_without_a_duplicate(seed: int, habits: Habits) -> None:
    world = running_world(workers=3, shards=6, seed=seed, habits=habits)
    leaving = world.living()[0]
    keys = world.held(leaving)

    leaving.stop()
    world.run_until(lambda: not leaving.alive, within=30)
    took = world.run_until(lambda: all_processing(world, keys), within=30)

    assert leaving.error is None
    assert took <= GIVEN_SECONDS + 0.5
    assert world.records.duplicates() == {}
    finish_cleanly(world)
    assert world.records.duplicates() == {}


@pytest.mark.parametrize("seed", range(3))
def test_a_newcomer_gets_its_share_without_a_duplicate(seed: int) -> None:
    world = running_world(workers=2, shards=6, seed=seed)
    takes = count_applied(world, WriteKind.TAKE)

    newcomer = world.start_worker()
    world.run_until(lambda: is_balanced(world, 6), within=90)
    finish_cleanly(world)

    assert world.records.duplicates() == {}
    assert len(takes) == len(world.held(newcomer)) == 2


def test_a_victim_processes_until_it_hands_over() -> None:
    world = running_world(workers=2, shards=3)
    victim, taker = sorted(world.living(), key=lambda worker: -len(world.held(worker)))
    key = world.held(victim)[0]
    renewals = count_applied(world, WriteKind.RENEW)
    world.run_until(lambda: any(change.write.key == key for change in renewals), within=10)
    before = len(world.records.times_delivered[key])
    ask = writes.request(key, me=taker.worker_id, victim=victim.worker_id)
    world.table.apply("", ask, world.now)

    world.run_until(lambda: not world.row(key).in_handoff, within=30)

    assert len(world.records.times_delivered[key]) > before + 3
    world.run_until(lambda: all_processing(world, [key], not_by=victim), within=10)
    assert world.records.duplicates() == {}


def test_a_victim_that_dies_in_the_middle_of_a_handoff_is_taken_over() -> None:
    world = running_world(workers=1, shards=2)
    world.start_worker()
    seen = when_applied(world, WriteKind.REQUEST, lambda change: parties(world, change)[0].kill())
    world.run_until(lambda: bool(seen), within=60)

    took = world.run_until(lambda: all_processing(world, world.open_keys()), within=60)

    assert took <= 14.5
    finish_cleanly(world)


def test_a_victim_that_stops_in_the_middle_of_a_handoff_loses_nothing() -> None:
    world = running_world(workers=1, shards=2)
    world.start_worker()
    seen = when_applied(world, WriteKind.REQUEST, lambda change: parties(world, change)[0].stop())
    world.run_until(lambda: bool(seen), within=60)

    world.run_until(
        lambda: len(world.living()) == 1 and all_processing(world, world.open_keys()), within=40
    )

    assert world.records.duplicates() == {}
    finish_cleanly(world)


def test_a_taker_that_dies_in_the_middle_of_a_handoff_blocks_nothing() -> None:
    world = running_world(workers=1, shards=2)
    world.start_worker()
    seen = when_applied(world, WriteKind.REQUEST, lambda change: parties(world, change)[1].kill())
    world.run_until(lambda: bool(seen), within=60)

    world.run_until(
        lambda: (
            all_processing(world, world.open_keys())
            and not any(world.row(key).in_handoff for key in world.open_keys())
        ),
        within=60,
    )

    finish_cleanly(world)


def test_a_taker_that_stops_in_the_middle_of_a_handoff_withdraws() -> None:
    world = running_world(workers=1, shards=2)
    world.start_worker()
    seen = when_applied(world, WriteKind.REQUEST, lambda change: parties(world, change)[1].stop())
    world.run_until(lambda: bool(seen), within=60)
    taker = parties(world, seen[0])[1]

    world.run_until(lambda: not taker.alive, within=30)
    world.run_until(
        lambda: not any(world.row(key).in_handoff for key in world.open_keys()), within=30
    )

    assert taker.error is None
    finish_cleanly(world)


def test_both_sides_of_a_handoff_may_leave_at_once() -> None:
    world = running_world(workers=1, shards=2)
    world.start_worker()

    def both_stop(change: Change) -> None:
        for party in parties(world, change):
            party.stop()
        world.start_worker()

    seen = when_applied(world, WriteKind.REQUEST, both_stop)
    world.run_until(lambda: bool(seen), within=60)

    world.run_until(
        lambda: len(world.living()) == 1 and all_processing(world, world.open_keys()), within=60
    )

    finish_cleanly(world)


def test_a_victim_whose_user_code_hangs_keeps_its_lease() -> None:
    world = running_world(workers=1, shards=2)
    victim = world.living()[0]
    keys = world.held(victim)
    cancels = count_applied(world, WriteKind.CANCEL)
    requests = count_applied(world, WriteKind.REQUEST)

    world.habits = Habits(hang=1.0, hang_seconds=60.0)
    world.start_worker()
    world.run_for(50)

    assert requests
    assert cancels
    assert world.held(victim) == keys
    world.run_for(20)
    finish_cleanly(world)


@pytest.mark.parametrize("fate", [Fate.LATE, Fate.REPLY_LOST, Fate.LOST, Fate.ERROR_APPLIED])
@pytest.mark.parametrize("kind", [WriteKind.TRANSFER, WriteKind.REQUEST, WriteKind.TAKE])
def test_a_handoff_survives_a_write_without_an_answer(kind: WriteKind, fate: Fate) -> None:
    world = running_world(workers=1, shards=2)

    def is_first(worker: str, write: RowWrite) -> bool:
        return write.kind is kind

    world.faults.order(is_first, fate, delay=3.0)
    world.start_worker()

    world.run_until(lambda: is_balanced(world, 2), within=120)

    finish_cleanly(world)


@pytest.mark.parametrize("fate", [Fate.LATE, Fate.REPLY_LOST, Fate.LOST, Fate.THROTTLED])
def test_a_release_without_an_answer_is_settled_before_the_worker_leaves(fate: Fate) -> None:
    world = running_world(workers=2, shards=2)
    leaving = world.living()[0]
    world.faults.order(lambda worker, write: write.kind is WriteKind.RELEASE, fate, delay=2.0)

    leaving.stop()
    world.run_until(lambda: not leaving.alive, within=40)

    world.run_until(lambda: all_processing(world, world.open_keys()), within=20)
    finish_cleanly(world)


def test_an_offer_to_somebody_who_died_is_taken_by_another_after_two_seconds() -> None:
    world = running_world(workers=3, shards=3)
    leaving = world.living()[0]

    def kill_the_addressee(change: Change) -> None:
        assert isinstance(change.after, LeaseRow)
        if change.after.owner is not None:
            world.workers[change.after.owner].kill()

    offered = when_applied(world, WriteKind.RELEASE, kill_the_addressee)
    leaving.stop()
    world.run_until(lambda: bool(offered), within=20)
    key = offered[0].write.key

    took = world.run_until(lambda: all_processing(world, [key], not_by=leaving), within=30)

    assert took <= 2.0 + 2 * 3.7 + 0.5
    finish_cleanly(world)


def test_the_last_worker_that_stops_leaves_every_lease_to_whoever_comes() -> None:
    world = running_world(workers=1, shards=3)
    only = world.living()[0]
    only.stop()
    world.run_until(lambda: not only.alive, within=40)

    world.start_worker()
    took = world.run_until(lambda: all_processing(world, world.open_keys()), within=30)

    assert took <= 6.0
    assert world.records.duplicates() == {}
    finish_cleanly(world)
