"""What may stand in for a batch in a plain unit test, without worker, threads or clock?"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import msgspec

from kcl_py.errors import CheckpointOutOfRange
from kcl_py.processor import (
    AsyncBatch,
    AsyncShardContext,
    Batch,
    Fence,
    Run,
    RunFacts,
    ShardContext,
)
from kcl_py.records import Position, Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.processor import CheckpointKind

Payload: TypeAlias = object
"""bytes-like and str go as they are; all else as JSON."""

_numbers = itertools.count(1)
_FENCE_SECONDS: Final = 9.49
_SHARD: Final = "shardId-000000000000"


def encode(payload: Payload) -> bytes:
    """Return the bytes of a payload."""
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    if isinstance(payload, str):
        return payload.encode()
    return msgspec.json.encode(payload)


def make_record(
    data: Payload,
    *,
    key: str = "key",
    position: Position | None = None,
    arrival_time: datetime | None = None,
) -> Record:
    """Make a record as a processor gets it.

    Args:
        data: bytes and str go as they are, all else as JSON.
        key: The partition key.
        position: None: behind every record made before.
        arrival_time: Aware; None: 1970.
    """
    place = position or Position(str(next(_numbers)))
    return Record(
        sequence_number=place.sequence_number,
        sub_sequence_number=place.sub_sequence_number,
        data=encode(data),
        partition_key=key,
        arrival_timestamp=0.0 if arrival_time is None else arrival_time.timestamp(),
    )


class CheckpointLog(Protocol):
    """Every checkpoint the code under test asked for, in order."""

    @property
    def positions(self) -> Sequence[Position]:
        """All of them; prepared ones count when they are committed."""
        ...

    @property
    def last(self) -> Position | None:
        """The newest; None: there was none."""
        ...


class _Log:
    """Answers for the worker: every checkpoint is durable at once, until the lease is lost."""

    def __init__(self, records: Sequence[Record], lose_lease_after: int | None) -> None:
        self._left = lose_lease_after
        self._positions: list[Position] = []
        self.fence = Fence(_FENCE_SECONDS)
        self.known = {record.position for record in records}

    @property
    def positions(self) -> Sequence[Position]:
        """Return what was checkpointed, in order."""
        return tuple(self._positions)

    @property
    def last(self) -> Position | None:
        """Return the newest checkpoint."""
        return self._positions[-1] if self._positions else None

    @property
    def audit(self) -> Callable[[float, Record], None]:
        """Count the records that are handed over."""
        return self._count

    def now(self) -> float:
        """Read the clock: it stands still, until the lease is lost."""
        if self._left == 0:
            self.fence.lose()
        return 0.0

    def _count(self, _read_at: float, _record: Record) -> None:
        if self._left is not None:
            self._left -= 1

    def checkpoint(
        self,
        kind: CheckpointKind,
        at: Position,
        handed: Position | None,
        *,
        wait: bool,
        state: bytes,
    ) -> Position | None:
        """Note a checkpoint, by the rules of a worker."""
        del wait, state
        if handed is None or at > handed or (self.last is not None and at < self.last):
            raise CheckpointOutOfRange(asked=at, lowest=self.last, highest=handed)
        if kind != "prepare":
            self._positions.append(at)
        return self.last

    async def checkpoint_async(
        self,
        kind: CheckpointKind,
        at: Position,
        handed: Position | None,
        *,
        wait: bool,
        state: bytes,
    ) -> Position | None:
        """Do the same."""
        return self.checkpoint(kind, at, handed, wait=wait, state=state)


def make_batch(
    data: Iterable[Payload | Record],
    *,
    shard_id: str = _SHARD,
    fencing_token: int = 1,
    lose_lease_after: int | None = None,
) -> tuple[Batch, CheckpointLog]:
    """Make a batch for a plain unit test, without worker or threads.

    Args:
        data: Records, or payloads to make records of. A record that does not lie behind the one
            before it gets the next position.
        shard_id: The shard, and the lease key.
        fencing_token: Of the epoch.
        lose_lease_after: 3: the iterator raises LeaseLost at the fourth record.
    """
    run, records, log = _run(data, shard_id, fencing_token, lose_lease_after)
    return Batch(ShardContext(run), records), log


def make_async_batch(
    data: Iterable[Payload | Record],
    *,
    shard_id: str = _SHARD,
    fencing_token: int = 1,
    lose_lease_after: int | None = None,
) -> tuple[AsyncBatch, CheckpointLog]:
    """Make a batch for `async def` code; see `make_batch`."""
    run, records, log = _run(data, shard_id, fencing_token, lose_lease_after)
    return AsyncBatch(AsyncShardContext(run), records), log


def _run(
    data: Iterable[Payload | Record], shard_id: str, token: int, lose_lease_after: int | None
) -> tuple[Run, Sequence[Record], _Log]:
    records = _in_order(data)
    log = _Log(records, lose_lease_after)
    facts = RunFacts(
        app_name="test",
        stream="test",
        stream_arn="arn:aws:kinesis:us-east-1:000000000000:stream/test",
        shard_id=shard_id,
        lease_key=shard_id,
        worker_id="test-worker",
        fencing_token=token,
    )
    return Run(facts=facts, fence=log.fence, port=log), records, log


def _in_order(data: Iterable[Payload | Record]) -> list[Record]:
    records: list[Record] = []
    for item in data:
        record = item if isinstance(item, Record) else make_record(item)
        if records and record.position <= records[-1].position:
            number = str(int(records[-1].sequence_number) + 1)
            record = msgspec.structs.replace(record, sequence_number=number, sub_sequence_number=0)
        records.append(record)
    return records
