"""Planted bugs in the production core: each breaks one rule of the protocol and must be caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kcl_py.config import LeaseConfig, WorkerConfig
from kcl_py.core.consumer.consumers import Consumers
from kcl_py.core.events import CallReturned, CheckpointAsked
from kcl_py.core.leases import writes
from kcl_py.core.leases.desk import Desk
from kcl_py.core.leases.holding import Holding
from kcl_py.core.leases.ledger import Attempt, Won
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.sights import Sights
from kcl_py.core.leases.writes import Is, RowWrite
from kcl_py.core.shards.syncer import ShardSync
from kcl_py.records import Position
from kcl_py.testing.faults import Faults
from kcl_py.testing.sim_code import Habits
from kcl_py.testing.watch import ViolationError
from kcl_py.testing.world import World

Patch = pytest.MonkeyPatch

ROUGH = Faults(slow=0.05, slow_max=1.5, reply_lost=0.05, late=0.03, late_max=6.0, stale=0.2)
BUSY = Habits(per_call=(0.0, 2.0), error=0.02, names_record=0.5)
WORLDS_MAX = 40


def live_through_everything(seed: int) -> None:
    """Crash, freeze, cut, join, stop, split and merge, with faults and failing user code."""
    world = World(seed, workers=3, shards=4, faults=ROUGH, habits=BUSY)
    world.put_steadily(15)
    world.run_for(15)
    world.living()[0].pause()
    world.run_for(14)
    world.living()[0].resume()
    world.stream.split(world.stream.open_shards()[0].shard_id)
    world.run_for(8)
    world.cut(world.living()[1])
    world.run_for(13)
    world.mend(world.living()[1])
    world.start_worker()
    world.run_for(20)
    left, right = world.stream.open_shards()[:2]
    world.stream.merge(left.shard_id, right.shard_id)
    world.living()[0].stop()
    world.living()[-1].kill()
    world.run_for(20)
    world.heal()
    world.check_settles(within=150)


def fence_from_the_reply(patch: Patch) -> None:
    renewed = Holding._renewed

    def later(self: Holding, now: float, won: Won) -> None:
        renewed(self, now, Won(Attempt(won.attempt.write, now), won.row))

    patch.setattr(Holding, "_renewed", later)


def no_margin(patch: Patch) -> None:
    patch.setattr(Desk, "fence_of", lambda self, sent: sent + self.duration + 0.1)


def take_without_waiting(patch: Patch) -> None:
    patch.setattr(Sights, "expires_at", lambda self, key: self.leases[key].since + 1.0)


def take_without_moving_the_counter(patch: Patch) -> None:
    take = writes.take

    def same(row: LeaseRow, *, me: str, nonce: str, duration: float, counter: int) -> RowWrite:
        return take(row, me=me, nonce=nonce, duration=duration, counter=row.counter)

    patch.setattr(writes, "take", same)


def take_while_user_code_runs(patch: Patch) -> None:
    patch.setattr(Consumers, "is_running", lambda self, key: False)


def give_away_while_user_code_runs(patch: Patch) -> None:
    drain = Consumers.drain

    def hasty(self: Consumers, now: float, key: str, reason: str) -> None:
        drain(self, now, key, reason)  # type: ignore[arg-type] # as the caller gave it
        assert self.leases is not None
        self.leases.drained(now, key)

    patch.setattr(Consumers, "drain", hasty)


def checkpoint_ahead_of_what_is_finished(patch: Patch) -> None:
    news = Holding._news

    def ahead(self: Holding) -> Position | None:
        position = news(self)
        if position is None:
            return None
        return Position(str(int(position.sequence_number) + (1 << 80)))

    patch.setattr(Holding, "_news", ahead)


def a_renewal_without_a_condition_on_the_counter(patch: Patch) -> None:
    owner_write = writes._owner_write

    def loose(*arguments: object) -> RowWrite:
        write = owner_write(*arguments)  # type: ignore[arg-type] # as the caller gave them
        return replace(write, tests=tuple(t for t in write.tests if not isinstance(t, Is)))

    patch.setattr(writes, "_owner_write", loose)


def give_away_without_the_last_position(patch: Patch) -> None:
    transfer, release = writes.transfer, writes.release

    def bare(write: Callable[..., RowWrite]) -> Callable[..., RowWrite]:
        return lambda *names, **options: write(*names, **{**options, "checkpoint": None})

    patch.setattr(writes, "transfer", bare(transfer))
    patch.setattr(writes, "release", bare(release))


def children_before_their_parents(patch: Patch) -> None:
    patch.setattr(ShardSync, "waits_for_parents", lambda self, row: False)


def an_exception_skips_the_batch(patch: Patch) -> None:
    on_event = Consumers.on_event

    def deaf(self: Consumers, now: float, event: CallReturned | CheckpointAsked) -> None:
        if isinstance(event, CallReturned) and event.method == "process_records":
            event = replace(event, error=None)
        on_event(self, now, event)

    patch.setattr(Consumers, "on_event", deaf)


MUTANTS = [
    (fence_from_the_reply, "I1"),
    (no_margin, "I1"),
    (take_without_waiting, "I1"),
    (take_without_moving_the_counter, "I3"),
    (take_while_user_code_runs, "I1"),
    (give_away_while_user_code_runs, "I1"),
    (checkpoint_ahead_of_what_is_finished, "I2"),
    (a_renewal_without_a_condition_on_the_counter, "I"),
    (give_away_without_the_last_position, "I10"),
    (children_before_their_parents, "I4"),
    (an_exception_skips_the_batch, "I"),
]


@pytest.mark.parametrize(
    ("plant", "invariant"), MUTANTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_planted_bug_of_the_core_is_caught(
    plant: Callable[[Patch], None], invariant: str, monkeypatch: Patch
) -> None:
    plant(monkeypatch)

    for seed in range(WORLDS_MAX):
        try:
            live_through_everything(seed)
        except ViolationError as violation:
            assert violation.invariant.startswith(invariant), violation  # noqa: PT017 - a search
            return
    pytest.fail(f"{WORLDS_MAX} worlds did not catch it")


def test_the_core_as_it_is_lives_through_everything() -> None:
    for seed in range(3):
        live_through_everything(seed)


def test_another_duration_in_the_row_is_respected(monkeypatch: Patch) -> None:
    """Without it a worker with a short duration takes from one with a long one, who is alive."""
    monkeypatch.setattr(LeaseRow, "wait_seconds", lambda self, own: own)
    world = World(workers=0, shards=1)
    patient = world.start_worker(config=WorkerConfig(leases=LeaseConfig(duration=20.0)))
    world.put_steadily(5)
    world.run_for(10)
    world.start_worker(config=WorkerConfig(leases=LeaseConfig(duration=3.0)))

    with pytest.raises(ViolationError, match="I1"):
        world.run_for(20)

    assert patient.alive
