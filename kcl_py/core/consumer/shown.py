"""How does the consumer of one shard look from outside? For status and health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core.consumer.reading import shard_id_of
from kcl_py.core.consumer.states import SHOWN, State
from kcl_py.status import ShardStatus

if TYPE_CHECKING:
    from kcl_py.core.consumer.machine import ShardMachine


def status_of(machine: ShardMachine, now: float) -> ShardStatus:
    """Return how things are."""
    progress = machine.checkpoints.progress
    return ShardStatus(
        lease_key=machine.key,
        shard_id=shard_id_of(machine.key),
        state=SHOWN[machine.state],
        fencing_token=machine.token,
        delivered=progress.delivered,
        finished=progress.finished,
        checkpointed=progress.durable,
        lag=machine.supply.lag,
        attempt=machine.patience.attempts,
        last_error=machine.supply.trouble or machine.patience.last_error,
        fence_in=max(0.0, machine.fence - now),
        given_up=machine.losses.count,
    )


def problem_of(machine: ShardMachine) -> str | None:
    """Return why somebody should look; None: all is well."""
    if machine.run is not None and machine.run.is_hung:
        return f"{machine.run.method} hangs"
    if machine.state is State.LOST:
        return None  # it is somebody else's by now
    if machine.state is State.PAUSED:
        return f"paused: {machine.patience.last_error}"
    return machine.patience.problem or machine.supply.failure
