"""What does a scan prove that may be from before the world began? Nothing about who is leaving.

That a fleet which believes such scans has two owners is shown by the planted bugs.
"""

from __future__ import annotations

import pytest

from kcl_py.core.leases.sights import Sights
from kcl_py.core.leases.view import members_seen
from kcl_py.testing.mutants.arena_fleets import STALE_LEAVERS
from tests.simulation.fleet import running_world


@pytest.mark.parametrize("seed", range(6))
def test_who_is_leaving_keeps_its_leases_whatever_stale_scans_show(seed: int) -> None:
    assert STALE_LEAVERS.run(seed, frozenset()).failure is None


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
