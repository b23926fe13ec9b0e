"""What does a worker tell about itself? Values only; the worker fills them in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

from kcl_py.records import Position

__all__ = ["ShardState", "ShardStatus", "WorkerEvent", "WorkerState", "WorkerStatus"]

WorkerState: TypeAlias = Literal["new", "starting", "running", "draining", "stopped", "failed"]
ShardState: TypeAlias = Literal[
    "waiting_for_parents", "initializing", "processing", "retrying", "paused", "draining", "ended"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardStatus:
    """One shard that a worker holds.

    Attributes:
        lease_key: Key of the lease row; unique in the application.
        shard_id: As Kinesis names it.
        state: What the consumer of the shard is doing.
        fencing_token: Of this epoch.
        delivered: Last position handed to the processor.
        finished: Last position that the processor finished.
        checkpointed: Last durable position.
        lag: Seconds behind the tip at the last read; None: not read yet.
        attempt: 1 while all is well; counts failures since anything was finished.
        last_error: Type and message of the last failure.
        fence_in: Seconds until the fence if no renewal succeeds.
        given_up: Records that this worker gave up here, with a dead letter or skipped.
    """

    lease_key: str
    shard_id: str
    state: ShardState
    fencing_token: int
    delivered: Position | None
    finished: Position | None
    checkpointed: Position | None
    lag: float | None
    attempt: int
    last_error: str | None
    fence_in: float
    given_up: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """A worker and its shards at one moment.

    Attributes:
        worker_id: Unique per Worker object.
        state: Where the worker is in its life.
        healthy: False when somebody should look.
        shards: By lease key.
        peers: Ids of the other live workers of the application.
        dynamodb_read_units: Consumed since the start.
        dynamodb_write_units: Consumed since the start.
    """

    worker_id: str
    state: WorkerState
    healthy: bool
    shards: Mapping[str, ShardStatus]
    peers: Sequence[str]
    dynamodb_read_units: float
    dynamodb_write_units: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; the schema of `kcl ... --json` and /statusz. Positions are `SEQ/SUB`."""
        return {item.name: _json_ready(getattr(self, item.name)) for item in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEvent:
    """A log event of the catalogue (`lease.taken`, `shard.ended`, ...) as a value, for `on_event`.

    Attributes:
        name: Constant, `noun.past_verb`.
        at: Seconds on the worker's own monotonic clock; comparable inside one process.
        lease_key: The shard it is about; None: about the worker.
        fields: Facts; never record data or partition keys.
    """

    name: str
    at: float
    lease_key: str | None
    fields: Mapping[str, object]


def _json_ready(value: object) -> object:
    if isinstance(value, Position):
        return str(value)
    if isinstance(value, ShardStatus):
        return {item.name: _json_ready(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {key: _json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_ready(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no infinity.
    return value
