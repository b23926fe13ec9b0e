"""What somebody does to the table by hand, while workers run: halting, resuming, seizing."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from kcl_py.admin import releasing
from kcl_py.admin.applying import Applying
from kcl_py.admin.editing import Editor
from kcl_py.admin.resetting import Change, Place, plan_reset
from kcl_py.admin.troubles import Unsafe
from kcl_py.aws.lease_table import RowsFound
from kcl_py.config import WorkerConfig
from kcl_py.core.events import Applied, Failure, FailureKind, WriteAnswer
from kcl_py.core.leases import repairs, writes
from kcl_py.core.leases.rows import PLACEHOLDER_OWNER, LeaseRow, Sentinel
from kcl_py.core.leases.writes import RowWrite
from kcl_py.core.worker_core import WorkerCore
from kcl_py.status import WorkerStatus
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.faults import Faults
from kcl_py.testing.sim.watch import ViolationError
from kcl_py.testing.sim.worker import SimWorker
from kcl_py.testing.world import World
from tests.simulation.fleet import all_processing, finish_cleanly, running_world


def halt(world: World, key: str) -> None:
    world.table.apply("", repairs.halt(world.row(key)), world.now)


def resume(world: World, key: str) -> None:
    world.table.apply("", repairs.resume(world.row(key)), world.now)


def seize(world: World, key: str) -> None:
    write = repairs.seize(world.row(key), nonce=f"hand#{world.rng.random()}")
    world.table.apply("", write, world.now)


def delivered(world: World, key: str) -> int:
    return sum(world.records.times_delivered.get(key, {}).values())


def status_of(worker: SimWorker) -> WorkerStatus:
    assert isinstance(worker.core, WorkerCore)
    return worker.core.status(worker.clock.now())


def is_quiet(world: World, key: str) -> bool:
    """Nobody has a processor of this shard."""
    return not any(worker.open_runs(key) for worker in world.living())


def test_a_halted_shard_is_held_and_nothing_of_it_runs_until_it_is_resumed() -> None:
    world = running_world(workers=2, shards=2)
    key = world.open_keys()[0]
    owner = world.owner(key)

    halt(world, key)
    world.run_until(lambda: is_quiet(world, key), within=6)
    before = delivered(world, key)
    world.run_for(60)
    assert delivered(world, key) == before
    assert world.owner(key) is owner
    assert owner is not None
    status = status_of(owner)
    assert (status.shards[key].state, status.healthy) == ("paused", False)

    resume(world, key)
    world.run_until(lambda: delivered(world, key) > before, within=6)
    assert status_of(owner).healthy
    finish_cleanly(world)


def test_a_halted_shard_stays_so_with_its_next_owner() -> None:
    world = running_world(workers=2, shards=2)
    key = world.open_keys()[0]
    owner = world.owner(key)
    assert owner is not None
    halt(world, key)
    world.run_until(lambda: is_quiet(world, key), within=6)
    before = delivered(world, key)

    owner.kill()
    world.run_until(lambda: world.owner(key) not in (None, owner), within=30)
    world.run_for(20)
    heir = world.owner(key)
    assert heir is not None
    assert delivered(world, key) == before
    assert status_of(heir).shards[key].state == "paused"

    heir.stop()
    fresh = world.start_worker()
    world.run_until(lambda: world.owner(key) is fresh, within=60)
    world.run_for(10)
    assert delivered(world, key) == before
    resume(world, key)
    world.run_until(lambda: delivered(world, key) > before, within=6)
    finish_cleanly(world)


def test_a_resume_that_comes_late_undoes_no_later_pause() -> None:
    world = running_world(workers=1, shards=1)
    key = world.open_keys()[0]
    halt(world, key)
    late = repairs.resume(world.row(key))
    resume(world, key)
    world.run_for(10)
    halt(world, key)

    world.table.apply("", late, world.now)
    assert world.row(key).halted
    world.run_until(lambda: is_quiet(world, key), within=6)

    resume(world, key)
    finish_cleanly(world)


def test_a_pause_that_arrives_twice_does_not_undo_a_resume() -> None:
    world = running_world(workers=1, shards=1)
    (key,) = world.open_keys()
    for owner in world.living():
        owner.stop()
    world.run_until(lambda: not world.living(), within=30)
    assert world.row(key).actual_owner is None
    pause = repairs.halt(world.row(key))

    world.table.apply("", pause, world.now)  # its answer is lost
    resume(world, key)
    world.table.apply("", pause, world.now)  # the same request, late

    assert not world.row(key).halted
    world.start_worker()
    world.run_until(lambda: all_processing(world, [key]), within=30)
    finish_cleanly(world)


def test_a_resume_that_arrives_twice_does_not_undo_a_pause() -> None:
    """Between two renewals, so that the owner never knew that it was resumed."""
    world = running_world(workers=1, shards=1)
    (key,) = world.open_keys()
    halt(world, key)
    again = repairs.resume(world.row(key))

    world.table.apply("", again, world.now)
    halt(world, key)
    world.table.apply("", again, world.now)

    assert world.row(key).halted
    world.run_until(lambda: is_quiet(world, key), within=6)
    resume(world, key)
    finish_cleanly(world)


def test_a_halted_shard_moves_to_a_worker_that_joins() -> None:
    world = running_world(workers=1, shards=2)
    for key in world.open_keys():
        halt(world, key)
    world.run_until(lambda: all(is_quiet(world, key) for key in world.open_keys()), within=6)
    fresh = world.start_worker()

    world.run_until(lambda: len(world.held(fresh)) == 1, within=60)
    assert all(is_quiet(world, key) for key in world.open_keys())
    for key in world.open_keys():
        resume(world, key)
    finish_cleanly(world)


def test_resuming_in_the_middle_of_a_long_drain_begins_a_new_epoch_after_it() -> None:
    world = running_world(workers=1, shards=1)
    key = world.open_keys()[0]
    world.habits = Habits(per_call=(8.0, 9.0))
    world.run_for(10)

    halt(world, key)
    world.run_for(5)
    resume(world, key)
    world.habits = Habits()
    world.run_until(lambda: all_processing(world, [key]), within=30)
    finish_cleanly(world)


def test_a_seized_lease_goes_on_elsewhere_once_its_owner_can_no_longer_act() -> None:
    world = running_world(workers=2, shards=2)
    key = world.open_keys()[0]
    owner = world.owner(key)
    assert owner is not None
    token = owner.core.held()[key].token

    seize(world, key)
    assert world.row(key).owner == PLACEHOLDER_OWNER
    world.run_until(lambda: world.owner(key) is None, within=11)
    world.run_until(lambda: world.owner(key) is not None, within=20)

    heir = world.owner(key)
    assert heir is not None
    assert heir.core.held()[key].token > token
    finish_cleanly(world)


def ask(world: World, key: str) -> None:
    """Ask the owner in the name of somebody else, who has begun.

    Who stops before that looks at no lease any more. A request in its name ends as one in that of a
    dead worker does: the owner does not find it and cancels, or the lease expires.
    """
    row = world.row(key)
    begun = [w for w in world.living() if status_of(w).state == "running"]
    takers = [w.worker_id for w in begun if w.worker_id != row.owner]
    if row.owner is not None and takers:
        write = releasing.ask(row, owner=row.owner, taker=world.rng.choice(takers))
        assert write is not None
        world.table.apply("", write, world.now)


def test_an_owner_that_is_asked_for_another_hands_over_what_is_beyond_its_share() -> None:
    world = running_world(workers=2, shards=3)
    rich = max(world.living(), key=lambda worker: len(world.held(worker)))
    (poor,) = [worker for worker in world.living() if worker is not rich]
    key = world.held(rich)[0]

    ask(world, key)
    world.run_until(lambda: world.owner(key) is poor, within=10)
    last = world.held(rich)[0]
    ask(world, last)
    world.run_until(lambda: not world.row(last).in_handoff, within=10)
    assert world.owner(last) is rich
    finish_cleanly(world)


def test_an_owner_counts_a_taker_that_it_has_not_seen_yet() -> None:
    """Who has just joined, and is in no scan of the owner, has to be given no last lease either."""
    world = running_world(workers=2, shards=3)
    poor = min(world.living(), key=lambda worker: len(world.held(worker)))
    (last,) = world.held(poor)
    fresh = world.start_worker()
    world.run_until(lambda: fresh.worker_id in world.table.rows(), within=10)
    assert isinstance(poor.core, WorkerCore)
    assert fresh.worker_id not in status_of(poor).peers

    write = releasing.ask(world.row(last), owner=poor.worker_id, taker=fresh.worker_id)
    assert write is not None
    world.table.apply("", write, world.now)
    world.run_until(lambda: not world.row(last).in_handoff, within=10)

    assert world.owner(last) is poor
    finish_cleanly(world)


def test_a_lease_that_is_seized_for_nobody_would_have_two_owners() -> None:
    """Why a seized row names an owner who does not exist, and keeps its duration."""
    world = running_world(workers=2, shards=2)
    write = repairs.seize(world.row(world.open_keys()[0]), nonce="hand")
    careless = replace(write, sets={**write.sets, "owner": None})
    world.table.apply("", careless, world.now)

    with pytest.raises(ViolationError, match="I1"):
        world.run_for(10)


class AtTheTable:
    """What an administrator's commands see of the table: slow, and answers get lost."""

    def __init__(self, world: World) -> None:
        self._world = world

    def write(self, write: RowWrite) -> WriteAnswer:
        self._pass_time()
        fate = self._world.rng.random()
        lost = Failure(FailureKind.UNKNOWN, "dynamodb:UpdateItem", "timed out (simulated)")
        if fate < 0.05:
            return lost
        answer = self._world.table.apply("", write, self._world.now)
        self._pass_time()
        return lost if fate < 0.1 else answer

    def read_rows(self, keys: Sequence[str]) -> RowsFound:
        self._pass_time()
        found = self._world.table.store.read_many(keys)
        return RowsFound(found, tuple(set(keys) - {row.key for row in found}))

    def _pass_time(self) -> None:
        self._world.run_for(self._world.rng.uniform(0.0, 0.3))


def reset_all(world: World, place: Place, way: type[AtTheTable] = AtTheTable) -> None:
    """As `kcl checkpoint reset --fence` does it."""
    names = iter(range(10**6))
    applying = Applying(
        editor=Editor(
            way(world),
            new_nonce=lambda: f"hand#{world.now}#{next(names)}",
            sleep=world.run_for,
        ),
        floor=int(world.wall() * 1000),
        duration=10.0,
    )

    def plan(rows: Mapping[str, LeaseRow]) -> Sequence[Change]:
        listed = world.stream.shards()
        return plan_reset(place, rows, listed, {shard.shard_id for shard in listed}).changes

    applying.apply_fencing(world.table.lease_rows, plan, lambda change: None)


@pytest.mark.parametrize("seed", range(12))
def test_a_fleet_that_is_reset_while_it_runs_delivers_everything_again(seed: int) -> None:
    world = World(seed=seed, workers=3, shards=3, faults=ROUGH)
    world.put_steadily(20)
    for _ in range(6):
        world.run_for(world.rng.uniform(2.0, 8.0))
        world.stream.split(world.rng.choice(world.stream.open_shards()).shard_id)
        if world.rng.random() < 0.3:
            world.start_worker()

    before = {key: dict(places) for key, places in world.records.times_delivered.items()}
    reset_all(world, Place(Sentinel.TRIM_HORIZON))
    world.run_for(world.rng.uniform(0.0, 30.0))
    world.rng.choice(world.living()).kill()
    if not world.living():
        world.start_worker()

    finish_cleanly(world, within=300)
    for key, places in before.items():
        now = world.records.times_delivered[key]
        assert [place for place, count in places.items() if now[place] <= count] == []


@pytest.mark.parametrize("seed", range(6))
def test_a_fleet_that_is_reset_to_a_time_skips_nothing_from_then_on(seed: int) -> None:
    world = World(seed=seed, workers=2, shards=3, faults=ROUGH)
    world.put_steadily(20)
    world.run_for(20)
    world.stream.split(world.stream.open_shards()[0].shard_id)
    world.run_for(20)
    at = world.wall() - 10.0
    before = {key: dict(places) for key, places in world.records.times_delivered.items()}

    reset_all(world, Place(Sentinel.AT_TIMESTAMP, at))

    finish_cleanly(world, within=300)
    for key, places in before.items():
        first = world.stream.logs[key].from_time(at)
        now = world.records.times_delivered[key]
        again = [place for place in places if place >= first]
        assert [place for place in again if now[place] <= places[place]] == []


def test_children_that_an_administrator_has_made_are_there_when_their_parent_ends() -> None:
    world = running_world(workers=1, shards=1)
    (parent,) = world.stream.open_shards()
    world.stream.split(parent.shard_id)
    world.run_until(lambda: len(world.stream.children_of(parent.shard_id)) == 2, within=5)
    for child in world.stream.children_of(parent.shard_id):
        row = LeaseRow(
            key=child.shard_id,
            counter=int(world.wall() * 1000),
            checkpoint=Sentinel.TRIM_HORIZON,
            owner=PLACEHOLDER_OWNER,
            nonce=f"hand#{child.shard_id}",
            duration=10.0,
            parents=child.parents,
            hash_range=child.hash_range,
        )
        assert isinstance(world.table.apply("", writes.create(row), world.now), Applied)

    world.run_until(lambda: world.row(parent.shard_id).is_finished, within=30)
    finish_cleanly(world)


class AtOnce(AtTheTable):
    """An administrator who is faster than every worker."""

    def write(self, write: RowWrite) -> WriteAnswer:
        return self._world.table.apply("", write, self._world.now)


@pytest.mark.parametrize("seed", range(3))
def test_children_of_an_owner_that_does_not_know_yet_begin_where_it_was_asked_for(
    seed: int,
) -> None:
    """Found by the model.

    An owner that has read a shard to its end makes the children, to begin at the time from which
    it read itself; that its lease was taken away it learns later. Nobody makes them again.
    """
    world = World(seed=seed, workers=0, shards=1, config=WorkerConfig(initial_position="latest"))
    world.put_steadily(20)
    world.run_for(5)
    (parent,) = world.stream.open_shards()
    world.stream.split(parent.shard_id)
    world.run_for(20)
    world.start_worker()
    world.run_until(lambda: world.owner(parent.shard_id) is not None, within=60)

    reset_all(world, Place(Sentinel.TRIM_HORIZON), AtOnce)

    world.run_for(60)
    finish_cleanly(world, within=300)
    for key, log in world.stream.logs.items():
        assert len(world.records.times_delivered[key]) == len(log.records), key


def ask_if_still(world: World, key: str) -> None:
    with contextlib.suppress(Unsafe):
        ask(world, key)


ROUGH = Faults(
    slow=0.02,
    reply_lost=0.02,
    lost=0.02,
    late=0.01,
    throttled=0.03,
    error_applied=0.01,
    stale=0.1,
    scan_cut=0.02,
)


@pytest.mark.parametrize("seed", range(12))
def test_an_administrator_races_with_a_fleet_and_no_promise_breaks(seed: int) -> None:
    world = World(seed=seed, workers=3, shards=4, faults=ROUGH)
    world.put_steadily(20)
    world.run_for(15)
    deeds = (halt, resume, seize, ask_if_still)

    for _ in range(40):
        world.run_for(world.rng.uniform(0.0, 4.0))
        if world.open_keys():
            world.rng.choice(deeds)(world, world.rng.choice(world.open_keys()))
        dice = world.rng.random()
        if dice < 0.1 and len(world.living()) > 1:
            world.rng.choice(world.living()).kill()
        elif dice < 0.2:
            world.start_worker()
        elif dice < 0.3 and len(world.living()) > 1:
            world.rng.choice(world.living()).stop()
        elif dice < 0.4:
            shard = world.rng.choice(world.stream.open_shards())
            world.stream.split(shard.shard_id)

    if not world.living():
        world.start_worker()
    for key in world.open_keys():
        resume(world, key)
    finish_cleanly(world)


@pytest.mark.parametrize("seed", range(12))
def test_what_an_administrator_sent_arrives_again_late_and_no_promise_breaks(seed: int) -> None:
    """Requests of every kind: the network may keep one for as long as it likes."""
    world = World(seed=seed, workers=3, shards=4, faults=ROUGH)
    world.put_steadily(20)
    sent: list[RowWrite] = []
    world.table.on_change.append(
        lambda change: None if change.worker else sent.append(change.write)
    )
    world.run_for(15)
    deeds = (halt, resume, seize, ask_if_still)

    for _ in range(40):
        world.run_for(world.rng.choice((0.0, 0.1, 1.0, 5.0)))
        world.rng.choice(deeds)(world, world.rng.choice(world.open_keys()))
        halted = {key: row.halted for key, row in world.table.lease_rows().items()}
        for write in world.rng.sample(sent, min(3, len(sent))):
            world.table.apply("again", write, world.now)
        assert halted == {key: row.halted for key, row in world.table.lease_rows().items()}
        if world.rng.random() < 0.1 and len(world.living()) > 1:
            world.rng.choice(world.living()).kill()
        elif world.rng.random() < 0.1:
            world.start_worker()

    if not world.living():
        world.start_worker()
    for key in world.open_keys():
        resume(world, key)
    finish_cleanly(world)
