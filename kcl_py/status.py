"""What does a worker tell about itself? Values only; the worker fills them in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final, Literal, TypeAlias

from kcl_py.records import Position

__all__ = [
    "TIMING_BOUNDS",
    "ShardState",
    "ShardStatus",
    "ShardWork",
    "Timing",
    "WorkerEvent",
    "WorkerState",
    "WorkerStatus",
    "idle_status",
]

WorkerState: TypeAlias = Literal["new", "starting", "running", "draining", "stopped", "failed"]
ShardState: TypeAlias = Literal[
    "waiting_for_parents", "initializing", "processing", "retrying", "paused", "draining", "ended"
]


TIMING_BOUNDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
)  # fmt: skip
"""Seconds; the upper ends of the buckets that durations are counted in. The last has none."""

_NO_COUNTS: Final = (0,) * (len(TIMING_BOUNDS) + 1)
_NO_SUMS: Final = (0.0,) * (len(TIMING_BOUNDS) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How often something was done since the start of the worker, and how long it took.

    Attributes:
        failed: So many of them ended badly.
        throttled: So many of those because of a limit of the service.
        counts: In each bucket of `TIMING_BOUNDS`, and beyond.
        sums: Seconds in each bucket.
    """

    failed: int = 0
    throttled: int = 0
    counts: tuple[int, ...] = _NO_COUNTS
    sums: tuple[float, ...] = _NO_SUMS

    @property
    def count(self) -> int:
        """How often."""
        return sum(self.counts)

    @property
    def seconds(self) -> float:
        """All of them together."""
        return sum(self.sums)

    def plus(self, other: Timing, sign: int = 1) -> Timing:
        """The sum, or the difference with `sign` -1."""
        return Timing(
            failed=self.failed + sign * other.failed,
            throttled=self.throttled + sign * other.throttled,
            counts=tuple(a + sign * b for a, b in zip(self.counts, other.counts, strict=True)),
            sums=tuple(a + sign * b for a, b in zip(self.sums, other.sums, strict=True)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardWork:
    """What a worker has done for one shard since its start, over all of its epochs.

    Attributes:
        reads: Answers of GetRecords, empty ones included.
        records_read: User records in them.
        bytes_read: Size of the answers.
        read_failures: Reads that brought no answer; expired iterators are none.
        read_throttles: Those of them that met a limit of the shard.
        iterators_expired: Iterators that were too old when they were used.
        batches: Calls of `process_records` that returned without an error.
        records: Records in them.
        bytes: Size of those in the answers of GetRecords, some 150 bytes of each for keys and the
            like; estimated where a page was cut.
        failures: Calls of user code that raised.
        retries: Calls of `process_records` for a batch that failed before.
        processing: All calls of `process_records`.
    """

    reads: int = 0
    records_read: int = 0
    bytes_read: int = 0
    read_failures: int = 0
    read_throttles: int = 0
    iterators_expired: int = 0
    batches: int = 0
    records: int = 0
    bytes: int = 0
    failures: int = 0
    retries: int = 0
    processing: Timing = field(default_factory=Timing)

    def plus(self, other: ShardWork, sign: int = 1) -> ShardWork:
        """The sum, or the difference with `sign` -1."""
        counts = {
            each.name: getattr(self, each.name) + sign * getattr(other, each.name)
            for each in fields(self)
            if each.name != "processing"
        }
        return ShardWork(**counts, processing=self.processing.plus(other.processing, sign))


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
        hung: A call of user code takes longer than `delivery.hung_after`.
        problem: Why somebody should look; None: all is well.
        read_age: Seconds since the last read that was answered; None: not read yet.
        behind: Seconds behind the tip now, as far as is known: `lag`, and `read_age` too if the
            last read is longer ago than reads of a quiet shard are, as while user code works.

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
    hung: bool = False
    problem: str | None = None
    read_age: float | None = None
    behind: float | None = None

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
        at: Reading of the worker's clock when this was so; None: before there was anything to ask.
            A worker whose control thread does not answer gives an old one.
        work: What was done for each shard that it held since its start, by lease key.
        older_work: The sum for shards that ended so long ago that `work` has forgotten them.
        events: How often each event of the catalogue came since the start, but for what the shell
            reports; `lease.given:KIND` counts by kind.
        calls: Calls of AWS since the start, by kind.
        call_waits: Seconds since the oldest call of that kind that is under way was made.
        buffered_bytes: Records that have arrived and are not processed.
        cpu_used: Part of the CPUs that the worker may use that is used, over 10 s; None: not known,
            or neither metrics nor a health port asked for it.
    """

    worker_id: str
    state: WorkerState
    healthy: bool
    shards: Mapping[str, ShardStatus]
    peers: Sequence[str]
    dynamodb_read_units: float
    dynamodb_write_units: float
    at: float | None = None
    work: Mapping[str, ShardWork] = field(default_factory=dict)
    older_work: ShardWork = field(default_factory=ShardWork)
    events: Mapping[str, int] = field(default_factory=dict)
    calls: Mapping[str, Timing] = field(default_factory=dict)
    call_waits: Mapping[str, float] = field(default_factory=dict)
    buffered_bytes: int = 0
    cpu_used: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; the schema of `kcl ... --json` and /statusz. Positions are `SEQ/SUB`."""
        return {item.name: json_ready(getattr(self, item.name)) for item in fields(self)}


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


def idle_status(worker_id: str, state: WorkerState) -> WorkerStatus:
    """What there is to tell while nothing is held and nothing was written."""
    return WorkerStatus(
        worker_id=worker_id,
        state=state,
        healthy=True,
        shards={},
        peers=(),
        dynamodb_read_units=0.0,
        dynamodb_write_units=0.0,
    )


def json_ready(value: object) -> object:
    """Spell a value as JSON can have it: no positions, no infinities."""
    if isinstance(value, Position):
        return str(value)
    if is_dataclass(value):
        return {item.name: json_ready(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no infinity.
    return value
