"""What can a processor know and say about its shard?"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from kcl_py.processor.checkpointers import AsyncPrepared, Prepared

if TYPE_CHECKING:
    from kcl_py.processor.checkpointers import AsyncPreparedCheckpoint, PreparedCheckpoint
    from kcl_py.processor.runs import Run, ShutdownReason
    from kcl_py.records import Position, Record


class _Epoch:
    """One ownership of one shard by one processor object."""

    __slots__ = ("_run",)

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def app_name(self) -> str:
        """Name of the application, and of its lease table unless configured otherwise."""
        return self._run.facts.app_name

    @property
    def stream(self) -> str:
        """Name of the stream."""
        return self._run.facts.stream

    @property
    def stream_arn(self) -> str:
        """ARN of the stream."""
        return self._run.facts.stream_arn

    @property
    def shard_id(self) -> str:
        """As Kinesis names the shard."""
        return self._run.facts.shard_id

    @property
    def lease_key(self) -> str:
        """Key of the lease row; unique in the application (a shard id is not with many streams)."""
        return self._run.facts.lease_key

    @property
    def worker_id(self) -> str:
        """Id of this worker, as in the table."""
        return self._run.facts.worker_id

    @property
    def fencing_token(self) -> int:
        """Larger than every token of an earlier epoch of this shard, or of its parents.

        Constant for the life of the processor object; fits a signed 64-bit column.
        """
        return self._run.facts.fencing_token

    @property
    def checkpointed(self) -> Position | None:
        """The durable checkpoint; in `initialize`, where this epoch starts.

        None: at the initial position.
        """
        return self._run.durable

    @property
    def shutdown_reason(self) -> ShutdownReason | None:
        """Why `shutdown_requested` was called; None before."""
        return self._run.shutdown_reason

    @property
    def is_owner(self) -> bool:
        """False from the fence on, for ever. Cheap; thread-safe."""
        return self._run.is_owner()

    def ensure_owner(self) -> None:
        """Raise LeaseLost past the fence. Call it before an effect that cannot be undone."""
        self._run.ensure_owner()

    def seconds_left(self) -> float:
        """Time until the fence if no renewal succeeds; never negative.

        Use it as the timeout of your own calls.
        """
        return self._run.seconds_left()

    def __repr__(self) -> str:
        facts = self._run.facts
        return f"<{type(self).__name__} {facts.lease_key}, token {facts.fencing_token}>"


@final
class ShardContext(_Epoch):
    """The shard a processor works on; the same object in every call. Thread-safe.

    KCL: InitializationInput and others.
    """

    __slots__ = ()

    @property
    def prepared(self) -> PreparedCheckpoint | None:
        """What an earlier owner prepared and did not commit.

        Committing it in `initialize` moves the start there.
        """
        pending = self._run.pending
        return None if pending is None else Prepared(self._run, *pending)

    def checkpoint(self, at: Record | Position | None = None, *, wait: bool = True) -> None:
        """Declare everything up to `at` finished; see `Checkpointer.checkpoint`."""
        run = self._run
        place = run.place_to_checkpoint(at)
        if place is not None:
            handed = run.handed.highest
            run.learn(run.port.checkpoint("checkpoint", place, handed, wait=wait, state=b""))

    def prepare(
        self, at: Record | Position | None = None, *, state: bytes = b""
    ) -> PreparedCheckpoint:
        """Store a checkpoint without making it count; see `Checkpointer.prepare`."""
        run = self._run
        place = run.place_to_prepare(at, state)
        run.learn(run.port.checkpoint("prepare", place, run.handed.highest, wait=True, state=state))
        return Prepared(run, place, state)


@final
class AsyncShardContext(_Epoch):
    """The same for `async def` processors. Use it on the loop that it was given on."""

    __slots__ = ()

    @property
    def prepared(self) -> AsyncPreparedCheckpoint | None:
        """What an earlier owner prepared and did not commit.

        Committing it in `initialize` moves the start there.
        """
        pending = self._run.pending
        return None if pending is None else AsyncPrepared(self._run, *pending)

    async def checkpoint(self, at: Record | Position | None = None, *, wait: bool = True) -> None:
        """Declare everything up to `at` finished; see `Checkpointer.checkpoint`."""
        run = self._run
        place = run.place_to_checkpoint(at)
        if place is not None:
            ask = run.port.checkpoint_async
            run.learn(await ask("checkpoint", place, run.handed.highest, wait=wait, state=b""))

    async def prepare(
        self, at: Record | Position | None = None, *, state: bytes = b""
    ) -> AsyncPreparedCheckpoint:
        """Store a checkpoint without making it count; see `Checkpointer.prepare`."""
        run = self._run
        place = run.place_to_prepare(at, state)
        ask = run.port.checkpoint_async
        run.learn(await ask("prepare", place, run.handed.highest, wait=True, state=state))
        return AsyncPrepared(run, place, state)
