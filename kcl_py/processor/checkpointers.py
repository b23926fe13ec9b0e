"""Who can declare records finished? What batches and contexts have in common, as protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kcl_py.processor.runs import Run
    from kcl_py.records import Position, Record


class PreparedCheckpoint(Protocol):
    """First phase of a two-phase checkpoint, durable. KCL: PreparedCheckpointer."""

    @property
    def position(self) -> Position:
        """Where the checkpoint will be."""
        ...

    @property
    def state(self) -> bytes:
        """What was stored with it, for whoever finds it."""
        ...

    def commit(self) -> None:
        """Make it the checkpoint; returns when durable. Raises as `Checkpointer.checkpoint`."""


class AsyncPreparedCheckpoint(Protocol):
    """The twin of `PreparedCheckpoint`."""

    @property
    def position(self) -> Position:
        """Where the checkpoint will be."""
        ...

    @property
    def state(self) -> bytes:
        """What was stored with it, for whoever finds it."""
        ...

    async def commit(self) -> None:
        """Make it the checkpoint; returns when durable. Raises as `Checkpointer.checkpoint`."""


class Checkpointer(Protocol):
    """What `Batch` and `ShardContext` have in common; annotate your own helpers with it."""

    def checkpoint(self, at: Record | Position | None = None, *, wait: bool = True) -> None:
        """Declare everything up to `at` finished: it is not delivered again, here or elsewhere.

        Args:
            at: A record or position handed over in this epoch. None: everything *handed over so
                far*, that is what the iterators have yielded, plus a whole batch once it was
                indexed, sliced or turned into a list.
            wait: True returns when durable. False records it at once and lets it ride on the next
                lease renewal.

        Raises:
            LeaseLost: This epoch is over; nothing was written, unless the message says that it may
                be durable.
            CheckpointOutOfRange: Before the last checkpoint, or beyond what was handed over.
            Throttled, Unavailable: Not durable yet, after retries inside the lease's budget. It
                stays recorded and goes out with the next renewal, so carrying on is safe. (Only
                with wait=True.)
        """

    def prepare(
        self, at: Record | Position | None = None, *, state: bytes = b""
    ) -> PreparedCheckpoint:
        """Store a checkpoint without making it count: the first of two phases.

        Args:
            at: As for `checkpoint`.
            state: At most 64 KiB for whoever commits it; a later owner finds both in
                `ShardContext.prepared`.

        Raises:
            ValueError: The state is too large. Otherwise as `checkpoint`.
        """
        ...


class AsyncCheckpointer(Protocol):
    """What `AsyncBatch` and `AsyncShardContext` have in common; the twin of `Checkpointer`."""

    async def checkpoint(self, at: Record | Position | None = None, *, wait: bool = True) -> None:
        """Declare everything up to `at` finished, as `Checkpointer.checkpoint`."""

    async def prepare(
        self, at: Record | Position | None = None, *, state: bytes = b""
    ) -> AsyncPreparedCheckpoint:
        """Store a checkpoint without making it count, as `Checkpointer.prepare`."""
        ...


class _Prepared:
    __slots__ = ("_position", "_run", "_state")

    def __init__(self, run: Run, position: Position, state: bytes) -> None:
        self._run = run
        self._position = position
        self._state = state

    @property
    def position(self) -> Position:
        return self._position

    @property
    def state(self) -> bytes:
        return self._state

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._position}, {len(self._state)} bytes of state>"


class Prepared(_Prepared):
    """A `PreparedCheckpoint` of one run."""

    __slots__ = ()

    def commit(self) -> None:
        """Make it the checkpoint."""
        run = self._run
        run.ensure_owner()
        run.learn(
            run.port.checkpoint(
                "commit", self._position, run.handed.highest, wait=True, state=self._state
            )
        )


class AsyncPrepared(_Prepared):
    """An `AsyncPreparedCheckpoint` of one run."""

    __slots__ = ()

    async def commit(self) -> None:
        """Make it the checkpoint."""
        run = self._run
        run.ensure_owner()
        run.learn(
            await run.port.checkpoint_async(
                "commit", self._position, run.handed.highest, wait=True, state=self._state
            )
        )
