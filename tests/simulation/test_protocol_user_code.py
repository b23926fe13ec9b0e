"""What user code that raises, hangs, exits or gives up does to leases (sections 4, 5 and 7)."""

from __future__ import annotations

from kcl_py.config import Backoff, DeliveryConfig, OnError, WorkerConfig
from kcl_py.core.leases import repairs
from kcl_py.core.leases.writes import RowWrite, WriteKind
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.faults import Fate
from kcl_py.testing.world import World
from tests.simulation.fleet import all_processing, finish_cleanly, running_world

POISONED = Habits(error=1.0)


def test_a_record_that_always_fails_is_retried_and_never_skipped() -> None:
    world = running_world(workers=2, shards=2)
    before = {key: dict(places) for key, places in world.records.times_delivered.items()}

    world.habits = POISONED
    world.run_for(60)

    for key, places in world.records.times_delivered.items():
        fresh = set(places) - set(before[key])
        assert len(fresh) <= 1
        assert max(places.values()) > 5
    finish_cleanly(world)


def test_a_shard_that_pauses_keeps_its_lease_and_goes_on_when_it_is_resumed() -> None:
    policy = OnError(attempts=2, backoff=Backoff(first=0.1, longest=1.0), then="pause")
    world = running_world(workers=2, shards=2, config=WorkerConfig(on_error=policy))
    owners = {key: world.row(key).owner for key in world.open_keys()}

    world.habits = POISONED
    world.run_until(lambda: all(world.row(key).paused for key in world.open_keys()), within=60)
    world.habits = Habits()
    world.run_for(60)
    assert {key: world.row(key).owner for key in world.open_keys()} == owners
    for key in world.open_keys():
        clear = RowWrite(kind=WriteKind.RENEW, key=key, tests=(), sets={"paused": None})
        world.table.apply("", clear, world.now)

    finish_cleanly(world)


def test_a_shard_that_is_resumed_before_its_owner_knows_of_the_written_pause_goes_on() -> None:
    policy = OnError(attempts=2, backoff=Backoff(first=0.1, longest=1.0), then="pause")
    world = running_world(workers=1, shards=1, config=WorkerConfig(on_error=policy))
    (key,) = world.open_keys()
    world.faults.order(lambda _, write: write.sets.get("paused") is True, Fate.REPLY_LOST)

    world.habits = POISONED
    world.run_until(lambda: world.row(key).paused, within=60)
    world.habits = Habits()
    world.table.apply("", repairs.resume(world.row(key)), world.now)

    finish_cleanly(world)


def test_a_hung_shard_is_given_up_and_not_taken_again_before_the_call_returns() -> None:
    config = WorkerConfig(delivery=DeliveryConfig(hung_after=10.0))
    world = running_world(workers=2, shards=2, config=config)
    victim, other = world.living()
    (key,) = world.held(victim)

    world.habits = Habits(hang=1.0, hang_seconds=90.0)
    world.run_for(2)
    world.habits = Habits()
    world.run_until(lambda: world.owner(key) is other, within=40)
    assert world.open_keys() == sorted(world.held(other) + world.held(victim))

    finish_cleanly(world)


def test_a_processor_that_exits_stops_its_worker_cleanly() -> None:
    world = running_world(workers=2, shards=2)
    victim, other = world.living()

    world.habits = Habits(exits=1.0)
    world.run_until(lambda: victim.stopping or not victim.alive, within=20)
    world.habits = Habits()
    world.run_until(lambda: not victim.alive or not other.alive, within=30)
    world.start_worker()

    finish_cleanly(world)
    assert victim.error is None


def test_a_shard_whose_sink_refuses_the_token_is_left_to_others() -> None:
    world = running_world(workers=2, shards=1)
    key = world.open_keys()[0]
    victim = world.owner(key)

    world.habits = Habits(gives_up=1.0)
    world.run_until(lambda: world.owner(key) is not victim, within=20)
    world.habits = Habits()
    world.run_until(
        lambda: world.owner(key) not in (None, victim) and all_processing(world, [key]), within=30
    )

    finish_cleanly(world)


def test_a_slow_call_costs_no_lease() -> None:
    world = running_world(workers=2, shards=2)
    world.habits = Habits(per_call=(15.0, 25.0))
    tokens = {
        key: epoch.token for worker in world.living() for key, epoch in worker.core.held().items()
    }

    world.run_for(120)

    assert tokens == {
        key: epoch.token for worker in world.living() for key, epoch in worker.core.held().items()
    }


def test_what_an_owner_prepared_before_it_died_is_committed_by_the_next() -> None:
    habits = Habits(checkpointing="explicit", prepares=1.0, checkpoint_every=5)
    world = World(workers=2, shards=2, habits=habits)
    world.put_steadily(20)
    world.run_for(20)
    for _ in range(4):
        fresh = world.start_worker()
        world.run_for(12)
        next(worker for worker in world.living() if worker is not fresh).kill()
        world.run_for(15)

    world.habits = Habits(checkpointing="explicit")
    world.run_for(2)  # Each shard gets a batch that is checkpointed.
    finish_cleanly(world)

    committed = [line for line in world.trace.lines if "commit" in map(str, line.facts)]
    assert len(committed) > 20
