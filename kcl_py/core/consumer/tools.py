"""What do the consumers of all shards share? The outbox, timers, chance, memory, the lease side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kcl_py.core.tallies import Tallies

if TYPE_CHECKING:
    from random import Random

    from kcl_py.config import WorkerConfig
    from kcl_py.core.calls import Calls
    from kcl_py.core.consumer.budget import Budget
    from kcl_py.core.ports import LeasePort
    from kcl_py.core.timers import TimerName, Timers


@dataclass(slots=True, kw_only=True, eq=False)
class Tools:
    """Shared by the machines of all shards.

    Attributes:
        given_up: How many records of each lease this worker gave up.
        runs: Lease keys of the processor objects that are not closed, by the id of their run.
        tallies: What was done for each shard, for metrics.
        port: The lease side; the two know each other, so it is set last.
    """

    config: WorkerConfig
    calls: Calls
    timers: Timers
    rng: Random
    budget: Budget
    given_up: Counter[str] = field(default_factory=Counter)
    runs: dict[int, str] = field(default_factory=dict)
    tallies: Tallies = field(default_factory=Tallies)
    port: LeasePort | None = None

    @property
    def leases(self) -> LeasePort:
        """The lease side."""
        assert self.port is not None, "the consumers were not connected to the leases"
        return self.port


def timer_name(what: str, key: str) -> TimerName:
    """Name a timer of the consumer of one shard."""
    return ("consumer", what, key)
