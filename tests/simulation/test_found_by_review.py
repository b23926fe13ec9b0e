"""Interleavings that an adversarial reading of the lease side found; each broke a promise once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kcl_py.config import DeliveryConfig, LeaseConfig, WorkerConfig
from kcl_py.core import commands
from kcl_py.core.events import CallReturned, Event, WallRead
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.writes import RowWrite, WriteKind
from kcl_py.testing.sim.code import Habits, ScriptedRun
from kcl_py.testing.sim.faults import Fate
from kcl_py.testing.sim.run import Call, SimRun
from kcl_py.testing.sim.table import Change
from kcl_py.testing.sim.watch import Watcher
from kcl_py.testing.sim.worker import SimWorker
from kcl_py.testing.world import World
from tests.simulation.fleet import count_applied, finish_cleanly, running_world, when_applied


def test_a_taker_without_leases_stops_as_soon_as_its_request_is_withdrawn() -> None:
    world = running_world(workers=1, shards=2)
    taker = world.start_worker()
    requested = when_applied(world, WriteKind.REQUEST, lambda change: taker.stop())
    world.run_until(lambda: bool(requested), within=60)

    took = world.run_until(lambda: not taker.alive, within=30)

    assert taker.error is None
    assert took <= 2.0
    finish_cleanly(world)


def test_a_worker_stops_as_soon_as_its_last_take_is_lost() -> None:
    world = running_world(workers=1, shards=1)
    heirs = {worker.worker_id: worker for worker in (world.start_worker(), world.start_worker())}
    world.run_for(15)
    tried: list[str] = []

    def is_first_take(worker: str, write: RowWrite) -> bool:
        if write.kind is not WriteKind.TAKE or worker not in heirs:
            return False
        tried.append(worker)
        return True

    world.faults.order(is_first_take, Fate.LOST)
    owner = world.owner("shardId-000000000000")
    assert owner is not None
    owner.kill()
    world.run_until(lambda: bool(tried), within=60)
    unlucky = heirs.pop(tried[0])
    unlucky.stop()
    world.run_until(lambda: any(world.held(worker) for worker in heirs.values()), within=10)

    took = world.run_until(lambda: not unlucky.alive, within=30)

    assert took <= 4.0
    finish_cleanly(world)


class AtShardEnd(Watcher):
    """Calls `then(worker, key)` when `shard_ended` begins somewhere, once."""

    def __init__(self, then: Callable[[SimWorker, str], None]) -> None:
        self._then = then
        self.seen = False

    def commanded(self, worker: SimWorker, command: commands.Command) -> None:
        if self.seen or not isinstance(command, commands.CallProcessor):
            return
        if command.method == "shard_ended":
            self.seen = True
            self._then(worker, worker.runs[command.run_id].key)


def test_a_handoff_that_times_out_while_the_end_of_its_shard_is_written_is_no_matter() -> None:
    config = WorkerConfig(leases=LeaseConfig(handoff_timeout=5.0, settle=1000.0))
    world = running_world(workers=1, shards=4, config=config)
    victim, taker = world.living()[0], world.start_worker()
    world.run_for(20)
    world.habits = Habits(per_call=(3.0, 3.0))

    def ask(worker: SimWorker, key: str) -> None:
        for _ in range(4):
            world.faults.order(lambda w, write: write.kind is WriteKind.END, Fate.LOST)
        request = writes.request(key, me=taker.worker_id, victim=worker.worker_id)
        world.table.apply("", request, world.now)

    watcher = AtShardEnd(ask)
    world.watchers.append(watcher)
    world.stream.split(world.held(victim)[0])

    world.run_until(lambda: watcher.seen, within=60)
    world.run_for(30)

    assert victim.alive


def test_a_take_that_was_sent_before_the_wall_clock_jumped_begins_no_epoch() -> None:
    world = running_world(workers=2, shards=1)
    key = world.open_keys()[0]
    owner = world.owner(key)
    assert owner is not None
    heir = next(worker for worker in world.living() if worker is not owner)
    taken = when_applied(world, WriteKind.TAKE, lambda change: None)

    def restore(change: Change) -> None:
        if change.write.kind is WriteKind.TAKE and change.worker == heir.worker_id and not jumped:
            jumped.append(change)
            heir.clock.wall_offset += 3600.0
            heir.tell(WallRead(heir.clock.wall()))

    jumped: list[Change] = []
    world.table.on_change.append(restore)
    owner.kill()
    world.run_until(lambda: bool(jumped), within=60)
    token = jumped[0].after
    assert isinstance(token, LeaseRow)
    tokens: set[int] = set()
    for _ in range(100):
        world.run_for(0.02)
        tokens |= {epoch.token for epoch in heir.core.held().values()}

    assert taken
    assert token.counter not in tokens
    finish_cleanly(world)


class Preparing(ScriptedRun):
    """Commits what it prepared first, and prepares something else before that has come through."""

    def __init__(self, run: SimRun, world: World) -> None:
        super().__init__(run, lambda: world.habits, world.rng)
        self.step = 0
        self._world = world

    def call(self, call: Call) -> None:
        if call.method != "process_records" or len(call.records) < 2 or self.step:
            super().call(call)
            return
        self.step = 1
        run, first, second = self._run, call.records[0].position, call.records[-1].position

        def done(_: object) -> None:
            run.returned()

        def failed(answer: commands.AnswerCheckpoint) -> None:
            assert answer.error is not None
            run.ask("prepare", second, handed=second, then=done, state=b"second")

        def prepared(_: object) -> None:
            for _ in range(3):
                self._world.faults.order(
                    lambda w, write: write.kind is WriteKind.RENEW, Fate.THROTTLED
                )
            run.ask("commit", first, handed=second, then=failed)

        for record in call.records:
            assert run.hand_over(record)
        run.ask("prepare", first, handed=second, then=prepared, state=b"first")


def test_a_late_commit_does_not_wipe_out_what_was_prepared_after_it() -> None:
    world = World(workers=0, shards=1, habits=Habits(checkpointing="explicit"))
    made: list[Preparing] = []

    def make(run: SimRun) -> Preparing:
        made.append(Preparing(run, world))
        return made[-1]

    world.put(20)
    world.start_worker(make_code=make)
    world.run_until(lambda: any(run.step for run in made) and world.open_keys() != [], within=30)
    world.run_for(3)

    pending = world.row(world.open_keys()[0]).pending
    assert pending is not None
    assert pending.state == b"second"


class AtClose(Watcher):
    """Calls `then(worker, key)` at the instant at which `close` returns, once."""

    def __init__(self, worker: SimWorker, then: Callable[[CallReturned], None]) -> None:
        self._worker = worker
        self._then = then
        self.seen = False

    def user_said(self, worker: SimWorker, event: Event) -> None:
        is_close = isinstance(event, CallReturned) and event.method == "close"
        if is_close and worker is self._worker and not self.seen:
            self.seen = True
            self._then(event)  # type: ignore[arg-type] # looked at above


def test_a_lease_whose_last_renewal_comes_late_is_released_before_the_worker_is_gone() -> None:
    world = running_world(workers=2, shards=2)
    leaving, other = world.living()
    key = world.held(leaving)[0]
    world.habits = Habits(per_call=(16.0, 16.0))
    world.put(20)
    world.run_for(3)
    world.habits = Habits()
    world.cut(leaving)
    world.run_until(lambda: key not in world.held(leaving), within=20)
    world.mend(leaving)
    other.pause()
    leaving.stop()

    def late_renewal(_: CallReturned) -> None:
        base, me = world.row(key).counter, leaving.worker_id
        write = writes.renew(key, me=me, base=base, nonce="late", duration=10.0)
        world.table.apply(me, write, world.now)

    watcher = AtClose(leaving, late_renewal)
    world.watchers.append(watcher)

    world.run_until(lambda: not leaving.alive, within=30)

    assert watcher.seen
    assert leaving.error is None
    assert world.row(key).owner != leaving.worker_id
    finish_cleanly(world)


@pytest.mark.parametrize("seed", range(3))
def test_nobody_asks_for_a_lease_on_which_its_own_user_code_still_hangs(seed: int) -> None:
    config = WorkerConfig(delivery=DeliveryConfig(hung_after=5.0))
    world = running_world(workers=2, shards=4, seed=seed, config=config)
    hanging = world.living()[0]
    lost = world.held(hanging)
    world.habits = Habits(hang=1.0, hang_seconds=300.0)
    world.run_for(5)
    world.habits = Habits()
    world.run_until(lambda: not set(world.held(hanging)) & set(lost), within=40)
    requests = count_applied(world, WriteKind.REQUEST)

    world.run_for(100)

    assert all(hanging.open_runs(key) for key in lost)
    mine = {change.write.key for change in requests if change.worker == hanging.worker_id}
    assert not mine & set(lost)
