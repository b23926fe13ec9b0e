"""Is user code stopped at its fence, whatever the order in which threads run and answers come?"""

from __future__ import annotations

from kcl_py.processor import Batch, ShardContext
from tests.shell.baton import Baton, seeds
from tests.shell.stage import DURATION, Stage

SEEDS = 60


def slow_writes(stage: Stage) -> None:
    """Let answers of the table take so long that some come after the fence that they would move."""

    def lasts(name: str, what: object) -> float:
        if name == "write" and stage.rng.random() < 0.15:
            return stage.rng.uniform(1.0, 2.5 * DURATION)
        return stage.rng.uniform(0.0, 0.1)

    stage.lasts = lasts


def test_an_answer_that_comes_after_the_fence_revives_nothing() -> None:
    late = lost = yielded = 0
    for seed in seeds(SEEDS):
        with Baton(seed) as baton:
            stage = Stage(baton, shards=2)
            slow_writes(stage)

            def behave(
                method: str, shard: ShardContext, batch: Batch | None, stage: Stage = stage
            ) -> None:
                stage.baton.sleep(stage.rng.choice((0.0, 0.0, 0.02, 0.2)))

            stage.behave = behave
            stage.play(stage.worker(), 2.0 * DURATION, patience=3.0 * DURATION)
            stage.witness.check()

            late += sum(call.ended - call.begun > DURATION for call in stage.witness.calls)
            lost += stage.witness.heard.count("lease.lost")
            yielded += len(stage.witness.yielded)
    assert late > SEEDS / 2
    assert lost > SEEDS / 4
    assert yielded > 10 * SEEDS
