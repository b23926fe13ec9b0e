"""Can an outage be seen in the status of a worker?"""

from __future__ import annotations

from kcl_py.core.worker_core import WorkerCore
from kcl_py.testing.sim.worker import SimWorker
from tests.simulation.fleet import running_world


def is_healthy(worker: SimWorker) -> bool:
    assert isinstance(worker.core, WorkerCore)
    return worker.core.status(worker.clock.now()).healthy


def test_a_worker_that_its_table_does_not_answer_is_not_healthy_until_it_does() -> None:
    world = running_world(workers=2, shards=2)
    worker = world.living()[0]
    duration = world.config.leases.duration
    assert is_healthy(worker)

    world.cut(worker)
    world.run_for(2 * duration)
    assert not is_healthy(worker)

    world.mend(worker)
    world.run_for(2 * duration)
    assert is_healthy(worker)
