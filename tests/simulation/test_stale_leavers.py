"""What does a scan prove that may be from before the world began? Nothing about who is leaving."""

from __future__ import annotations

import pytest

from kcl_py.core.leases.sights import Sights
from kcl_py.core.leases.view import members_seen
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.faults import Faults
from kcl_py.testing.sim.watch import ViolationError
from kcl_py.testing.world import World
from tests.simulation.fleet import finish_cleanly, running_world


def leave_slowly(seed: int) -> World:
    """One leaves while its code runs on; others read replicas from before it came."""
    world = running_world(workers=2, shards=4, seed=seed)
    world.start_worker()
    world.run_for(12)
    world.habits = Habits(per_call=(18.0, 20.0))
    world.run_for(3)
    world.faults.faults = Faults(stale=0.7, stale_max=60.0)
    max(world.living(), key=lambda worker: len(world.held(worker))).stop()
    world.run_for(17)
    return world


def leave_slowly_again_and_again() -> None:
    for seed in range(20):
        leave_slowly(seed)


@pytest.mark.parametrize("seed", range(6))
def test_who_is_leaving_keeps_its_leases_whatever_stale_scans_show(seed: int) -> None:
    finish_cleanly(leave_slowly(seed))


def test_a_fleet_that_believes_stale_scans_has_two_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    def believe(
        self: Sights, keys: set[str], *, asked_at: float, consistent: bool = True
    ) -> tuple[str, ...]:
        for key, sight in list(self.workers.items()):
            if key not in keys and sight.since < asked_at:
                self.miss_worker(key)
        return ()

    monkeypatch.setattr(Sights, "keep_only_workers", believe)

    with pytest.raises(ViolationError, match="I1"):
        leave_slowly_again_and_again()


def test_who_has_left_is_known_after_one_read_more() -> None:
    world = running_world(workers=2, shards=4)
    leaving, stays = world.living()
    leaving.stop()
    world.run_until(lambda: not leaving.alive, within=30)

    world.run_for(20)

    desk = stays.core._desk  # type: ignore[attr-defined] # the production core
    assert isinstance(desk.sights, Sights)
    assert members_seen(desk.sights, stays.clock.now(), stays.worker_id) == 1
    assert leaving.worker_id not in desk.sights.workers
