"""How does the consumer of one shard look from outside? For status and health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kcl_py.core.consumer.reading import shard_id_of
from kcl_py.core.consumer.states import SHOWN, State
from kcl_py.status import ShardStatus

STALE_SECONDS_MIN: Final = 10.0

if TYPE_CHECKING:
    from kcl_py.core.consumer.machine import ShardMachine


def status_of(machine: ShardMachine, now: float) -> ShardStatus:
    """Return how things are."""
    progress = machine.checkpoints.progress
    age = machine.supply.read_age(now)
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
        hung=machine.run is not None and machine.run.is_hung,
        problem=problem_of(machine),
        read_age=age,
        behind=behind(machine.supply.lag, age, machine.supply.quiet_seconds),
        given_up=machine.losses.count,
    )


def behind(lag: float | None, read_age: float | None, quiet: float) -> float | None:
    """Return how far behind the tip a shard is, at the most, that was read so long ago.

    A shard at its tip is read now and then, and what comes in between is no lag.

    Args:
        lag: At the last read.
        read_age: Since then.
        quiet: Longest pause between two reads of a quiet shard.
    """
    if lag is None or read_age is None:
        return lag
    return lag + read_age if read_age > max(STALE_SECONDS_MIN, 2 * quiet) else lag


def problem_of(machine: ShardMachine) -> str | None:
    """Return why somebody should look; None: all is well."""
    if machine.run is not None and machine.run.is_hung:
        return f"{machine.run.method} hangs"
    if machine.state is State.LOST:
        return None  # it is somebody else's by now
    if machine.state is State.PAUSED:
        return f"paused: {machine.patience.last_error}"
    return machine.patience.problem or machine.supply.failure
