"""Which methods does a processor have, and when are they called?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    from kcl_py.processor.batches import AsyncBatch, Batch
    from kcl_py.processor.contexts import AsyncShardContext, ShardContext

Checkpointing: TypeAlias = Literal["auto", "explicit"]
"""Whether returning from `process_records` finishes the batch (auto) or only a checkpoint does."""

METHODS = (
    "initialize", "process_records", "shutdown_requested", "shard_ended", "lease_lost", "close",
)  # fmt: skip
"""In the order of a life."""


class RecordProcessor:
    """Your code for one shard and epoch. Only `process_records` is required.

    Order of calls: initialize, process_records any number of times, then shutdown_requested or
    shard_ended or lease_lost (lease_lost may also follow a shutdown_requested that came too late),
    then close; afterwards the object is dropped. One call at a time, all from one thread of the
    shard, with the shard's fields bound in contextvars. KCL: ShardRecordProcessor.
    """

    checkpointing: ClassVar[Checkpointing] = "auto"
    """A property of the code, so it lives here and no configuration changes it.

    auto: returning from process_records means that the whole batch is finished, work handed to
    threads included. explicit: only what you checkpoint is finished; returning asks for the next
    batch.
    """

    idle_after: ClassVar[float | None] = None
    """With a number: process_records also gets an empty batch after so many seconds without
    records (to flush buffers)."""

    def initialize(self, shard: ShardContext) -> None:
        """Before the first batch.

        Raising: close, then a fresh object after the back-off; after `attempts`, red.
        """

    def process_records(self, batch: Batch) -> None:
        """Your work. An exception goes to the error policy; LeaseLost is none.

        auto: this object gets the same records again, from the first that is not finished (see
        `checkpoint`, RecordFailed). explicit: this object may hold half a buffer, so it is closed,
        and a fresh one starts behind the last checkpoint, exactly as after a crash. SystemExit
        stops the worker cleanly.
        """
        raise NotImplementedError(f"{type(self).__name__} has no process_records")

    def shutdown_requested(self, shard: ShardContext) -> None:
        """Last call while still the owner, at stop or handoff; no more records come.

        Flush and checkpoint here. What is unfinished on return goes to the next owner. Raising is
        logged; the shard moves on all the same.
        """

    def shard_ended(self, shard: ShardContext) -> None:
        """Every record of a closed shard was delivered.

        SHARD_END is written when this returns, by the library. explicit: returning with unfinished
        records counts as raising; children wait, health goes red. Never skipped.
        """

    def lease_lost(self, shard: ShardContext) -> None:
        """Someone else may own the shard now: drop buffers, write nothing.

        `shard` refuses to checkpoint.
        """

    def close(self) -> None:
        """Always the last call, exactly once, however it ended; also after a failed initialize.

        Free resources here.
        """


class AsyncRecordProcessor:
    """The same on an asyncio loop: that of `run_async`, else one that the worker owns.

    All methods run as tasks there, one at a time per object. At the fence the running call is
    cancelled.
    """

    checkpointing: ClassVar[Checkpointing] = "auto"
    """As `RecordProcessor.checkpointing`."""

    idle_after: ClassVar[float | None] = None
    """As `RecordProcessor.idle_after`."""

    async def initialize(self, shard: AsyncShardContext) -> None:
        """As `RecordProcessor.initialize`."""

    async def process_records(self, batch: AsyncBatch) -> None:
        """As `RecordProcessor.process_records`."""
        raise NotImplementedError(f"{type(self).__name__} has no process_records")

    async def shutdown_requested(self, shard: AsyncShardContext) -> None:
        """As `RecordProcessor.shutdown_requested`."""

    async def shard_ended(self, shard: AsyncShardContext) -> None:
        """As `RecordProcessor.shard_ended`."""

    async def lease_lost(self, shard: AsyncShardContext) -> None:
        """As `RecordProcessor.lease_lost`."""

    async def close(self) -> None:
        """As `RecordProcessor.close`."""
