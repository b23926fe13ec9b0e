"""Does a shard that is busy write as often as its configuration asks for, and not more often?"""

from __future__ import annotations

from kcl_py.config import DeliveryConfig, WorkerConfig
from kcl_py.core.leases.writes import WriteKind
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.faults import Faults
from tests.simulation.fleet import count_applied, running_world

SECONDS = 20


def test_batches_that_end_while_a_checkpoint_is_written_wait_for_the_next_interval() -> None:
    """A write takes longer than a batch: when it is answered, another one has ended."""
    world = running_world(
        workers=1,
        shards=1,
        rate=100.0,
        config=WorkerConfig(delivery=DeliveryConfig(batch_records=1, checkpoint_interval=0.5)),
        habits=Habits(per_record=(0.0, 0.01), per_call=(0.0, 0.01)),
        faults=Faults(latency=(0.1, 0.1)),
    )
    renewals = count_applied(world, WriteKind.RENEW)
    world.run_for(SECONDS)

    assert SECONDS < len(renewals) <= 2 * SECONDS + 1
