"""Do the checkers of memory and of writes see what they are there for?"""

from __future__ import annotations

import pytest

from kcl_py.config import DeliveryConfig, WorkerConfig
from kcl_py.core.consumer.budget import Budget
from kcl_py.core.leases.holding import Holding
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.watch import ViolationError
from kcl_py.testing.world import World

MIB = 1024 * 1024


def heavy_world(**more: object) -> World:
    """Slow user code, records of 1 MiB, and memory for two pages and a half."""
    config = WorkerConfig(delivery=DeliveryConfig(buffer_bytes=25 * MIB))
    habits = Habits(per_record=(0.1, 0.2))
    world = World(workers=1, shards=6, config=config, habits=habits, **more)  # type: ignore[arg-type] # a test's options
    world.stream.record_bytes = MIB
    world.put(200)
    return world


def test_a_worker_stays_under_its_budget_and_uses_it() -> None:
    world = heavy_world()
    seen: list[int] = []
    for half in range(20):
        world.after(half / 2, lambda: seen.append(world.living()[0].memory.bytes))

    world.run_for(60)

    assert MIB < max(seen) <= 25 * MIB
    assert sum(len(places) for places in world.records.times_delivered.values()) > 100


def test_reads_that_reserve_nothing_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "claimed_bytes", property(lambda self: self.buffered_bytes))

    with pytest.raises(ViolationError, match="I11"):
        heavy_world().run_for(60)


def test_reads_of_which_nobody_keeps_account_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "_fits", lambda self, *, ahead: True)

    with pytest.raises(ViolationError, match="I11"):
        heavy_world().run_for(60)


def test_a_muted_invariant_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "_fits", lambda self, *, ahead: True)

    heavy_world(muted={"I11"}).run_for(60)


def test_renewals_without_a_reason_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Holding, "_has_reason", lambda self, now: True)
    world = World(workers=1, shards=1)

    with pytest.raises(ViolationError, match="I8"):
        world.run_for(30)


def test_checkpoints_that_user_code_asks_for_are_a_reason() -> None:
    world = World(workers=1, shards=1, habits=Habits(checkpointing="explicit", checkpoint_every=1))
    world.put_steadily(20)

    world.run_for(30)

    assert world.table.write_count > 100
