"""What decides in the simulated world? The core of production, or one that a test brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import random

    from kcl_py.config import WorkerConfig
    from kcl_py.core.facts import StreamFacts, TableFacts
    from kcl_py.testing.sim.worker import Core


class CoreMaker(Protocol):
    """Makes what decides."""

    def __call__(
        self,
        *,
        worker_id: str,
        config: WorkerConfig,
        table: TableFacts,
        stream: StreamFacts,
        rng: random.Random,
    ) -> Core:
        """Make the core of one worker."""


def production_core(
    *,
    worker_id: str,
    config: WorkerConfig,
    table: TableFacts,
    stream: StreamFacts,
    rng: random.Random,
) -> Core:
    """Make the core that real workers run."""
    from kcl_py.core.worker_core import WorkerCore  # noqa: PLC0415 - tests may bring another one

    return WorkerCore(worker_id=worker_id, config=config, table=table, stream=stream, rng=rng)
