"""What does `process_records` get? Records in order, behind a guard that stops at the fence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, final, overload

from kcl_py.processor.contexts import AsyncShardContext, ShardContext
from kcl_py.records import Record

if TYPE_CHECKING:
    from kcl_py.processor.checkpointers import AsyncPreparedCheckpoint, PreparedCheckpoint
    from kcl_py.processor.runs import Run
    from kcl_py.records import Position


class _Records(Sequence[Record]):
    """Records in order. `for` is guarded (LeaseLost past the fence); indexing, slicing, len not."""

    __slots__ = ("_at_shard_end", "_attempt", "_lag", "_records", "_run", "_seen", "_size_bytes")

    def __init__(
        self,
        run: Run,
        records: Sequence[Record],
        *,
        attempt: int = 1,
        lag: float = 0.0,
        at_shard_end: bool = False,
        size_bytes: int | None = None,
    ) -> None:
        self._run = run
        self._records = records
        self._attempt = attempt
        self._lag = lag
        self._at_shard_end = at_shard_end
        self._size_bytes = size_bytes
        self._seen = run.handed.begin(records)

    def __iter__(self) -> Iterator[Record]:
        if self._run.port.audit is not None:
            return self._audited(self._run.port.audit)
        return self._guarded()

    def _guarded(self) -> Iterator[Record]:
        # All that is done for every record in Python: a reading of the clock, and one comparison.
        fence, now = self._run.fence, self._run.port.now
        records = self._seen.follow()
        for record in records:
            if now() >= fence.until:
                self._seen.refuse(records)
                raise self._run.lease_lost()
            yield record

    def _audited(self, audit: Callable[[float, Record], None]) -> Iterator[Record]:
        fence, now = self._run.fence, self._run.port.now
        for count, record in enumerate(self._seen.records, 1):
            read_at = now()
            if read_at >= fence.until:
                raise self._run.lease_lost()
            audit(read_at, record)
            self._seen.reach(count)
            yield record

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | Sequence[Record]:
        found = self._records[index]
        self._seen.whole()
        return found

    @property
    def attempt(self) -> int:
        """1 at first; counts failures since anything was last finished."""
        return self._attempt

    @property
    def lag(self) -> float:
        """Seconds behind the tip when these were read. KCL: millisBehindLatest."""
        return self._lag

    @property
    def size_bytes(self) -> int:
        """Payloads and partition keys."""
        if self._size_bytes is None:
            self._size_bytes = sum(
                len(record.data) + len(record.partition_key) for record in self._records
            )
        return self._size_bytes

    @property
    def fencing_token(self) -> int:
        """The token of this epoch, as `ShardContext.fencing_token`."""
        return self._run.facts.fencing_token

    @property
    def at_shard_end(self) -> bool:
        """Nothing follows in this shard. KCL: isAtShardEnd."""
        return self._at_shard_end

    def __repr__(self) -> str:
        key = self._run.facts.lease_key
        return f"<{type(self).__name__} {key}, {len(self)} records, attempt {self._attempt}>"


def peek(batch: Batch | AsyncBatch) -> Sequence[Record]:
    """Return its records without handing them over: for who looks on beside user code."""
    return batch._records  # noqa: SLF001 - reading it any other way says that they were seen


@final
class Batch(_Records):
    """What `process_records` gets: never empty, unless `idle_after` is set.

    KCL: ProcessRecordsInput.
    """

    __slots__ = ("_shard",)

    def __init__(
        self,
        shard: ShardContext,
        records: Sequence[Record],
        *,
        attempt: int = 1,
        lag: float = 0.0,
        at_shard_end: bool = False,
        size_bytes: int | None = None,
    ) -> None:
        super().__init__(
            shard._run,  # noqa: SLF001 - two views of one run
            records,
            attempt=attempt,
            lag=lag,
            at_shard_end=at_shard_end,
            size_bytes=size_bytes,
        )
        self._shard = shard

    @property
    def shard(self) -> ShardContext:
        """The shard that the records are from."""
        return self._shard

    def checkpoint(self, at: Record | Position | None = None, *, wait: bool = True) -> None:
        """Declare everything up to `at` finished; see `Checkpointer.checkpoint`."""
        self._shard.checkpoint(at, wait=wait)

    def prepare(
        self, at: Record | Position | None = None, *, state: bytes = b""
    ) -> PreparedCheckpoint:
        """Store a checkpoint without making it count; see `Checkpointer.prepare`."""
        return self._shard.prepare(at, state=state)


@final
class AsyncBatch(_Records):
    """What an async `process_records` gets; a plain `for` is guarded here too."""

    __slots__ = ("_shard",)

    def __init__(
        self,
        shard: AsyncShardContext,
        records: Sequence[Record],
        *,
        attempt: int = 1,
        lag: float = 0.0,
        at_shard_end: bool = False,
        size_bytes: int | None = None,
    ) -> None:
        super().__init__(
            shard._run,  # noqa: SLF001 - two views of one run
            records,
            attempt=attempt,
            lag=lag,
            at_shard_end=at_shard_end,
            size_bytes=size_bytes,
        )
        self._shard = shard

    @property
    def shard(self) -> AsyncShardContext:
        """The shard that the records are from."""
        return self._shard

    async def checkpoint(self, at: Record | Position | None = None, *, wait: bool = True) -> None:
        """Declare everything up to `at` finished; see `Checkpointer.checkpoint`."""
        await self._shard.checkpoint(at, wait=wait)

    async def prepare(
        self, at: Record | Position | None = None, *, state: bytes = b""
    ) -> AsyncPreparedCheckpoint:
        """Store a checkpoint without making it count; see `Checkpointer.prepare`."""
        return await self._shard.prepare(at, state=state)
