"""How does a lease look from outside that is held while it is halted?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.records import Position
from kcl_py.status import ShardStatus

if TYPE_CHECKING:
    from kcl_py.core.leases.holding import Holding

WHY = "paused by hand; `kcl leases resume` lets it go on"


def status_of_resting(holding: Holding, now: float) -> ShardStatus:
    """Return how things are: paused, for nothing of it runs."""
    checkpoint = holding.row.checkpoint
    durable = checkpoint if isinstance(checkpoint, Position) else None
    return ShardStatus(
        lease_key=holding.key,
        shard_id=holding.key.rsplit(":", 1)[-1],
        state="paused",
        fencing_token=holding.token,
        delivered=None,
        finished=holding.finished,
        checkpointed=durable,
        lag=None,
        attempt=1,
        last_error=WHY,
        fence_in=max(0.0, holding.fence - now),
    )
