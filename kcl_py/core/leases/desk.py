"""What do all parts of the lease side share?

Identity, settings, outbox, timers, sights, and the other machines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from kcl_py.config import WorkerConfig
    from kcl_py.core.calls import Calls
    from kcl_py.core.leases.sights import Sights
    from kcl_py.core.ports import ConsumerPort
    from kcl_py.core.shards.syncer import ShardSync
    from kcl_py.core.timers import Timers

DRIFT = 0.001
"""Most by which the rates of two clocks differ. Source: assumption A1."""


@dataclass(slots=True, kw_only=True)
class Desk:
    """The shared desk of the lease side.

    Attributes:
        scan_interval: S, as it stands now, seconds.
        duration: Lease duration D, seconds.
        wall_offset: Unix seconds minus clock reading, as last read.
        consumers, shards: The other two machines; set once all three exist.
        stopping: No new leases from now on.
    """

    me: str
    config: WorkerConfig
    calls: Calls
    timers: Timers
    rng: random.Random
    sights: Sights
    scan_interval: float
    wall_offset: float = 0.0
    stopping: bool = False
    consumers: ConsumerPort = field(init=False)
    shards: ShardSync = field(init=False)
    avoid_until: dict[str, float] = field(default_factory=dict)
    duration: float = field(init=False)
    _nonce_count: int = 0

    def __post_init__(self) -> None:
        self.duration = self.config.leases.duration

    def fence_of(self, sent_at: float) -> float:
        """Return the fence of a write that was emitted at `sent_at`."""
        return sent_at + self.duration * (1 - DRIFT) - self.config.leases.fence_margin

    def new_nonce(self) -> str:
        """Return a nonce that nobody else, and no other attempt, ever uses."""
        self._nonce_count += 1
        return f"{self.me}#{self._nonce_count}"

    def backoff(self, failures: int) -> float:
        """Return how long to wait before another attempt, seconds: jittered, at most D/12."""
        longest = min(self.duration / 12, 0.05 * 2.0 ** min(failures, 6))
        return longest * self.rng.uniform(0.5, 1.0)
