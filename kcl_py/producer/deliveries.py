"""What does `put` return? The record itself, with ways to wait for its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, cast

from kcl_py.errors import PutFailed
from kcl_py.producer.core.kept import Kept
from kcl_py.producer.core.units import Item
from kcl_py.producer.results import PutResult

if TYPE_CHECKING:
    from kcl_py.producer.engine import Engine
    from kcl_py.producer.results import Delivery


class ThreadDelivery(Item, gc=False, eq=False):
    """A record on its way, for threads. Thread-safe."""

    def done(self) -> bool:
        """Whether it was delivered or handed back."""
        return self.outcome is not None

    def result(self, timeout: float | None = None) -> PutResult:
        """Wait for the outcome.

        Raises:
            PutFailed: It was not delivered.
            TimeoutError: Nothing is known after `timeout` seconds.
        """
        if self.outcome is None:
            self.engine.wait_for(self, timeout)
        return outcome_of(self, self.engine)

    def add_done_callback(self, callback: Callable[[Delivery], object], /) -> None:
        """Call it with this delivery once it is done, or at once if it is."""
        self.engine.call(self, cast("Callable[[Item], object]", callback))


class LoopDelivery(Item, gc=False, eq=False):
    """A record on its way, for one event loop."""

    # Set before anybody has it.
    loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]

    def done(self) -> bool:
        """Whether it was delivered or handed back."""
        return self.outcome is not None

    def __await__(self) -> Generator[object, None, PutResult]:
        if self.outcome is None:
            ended: asyncio.Future[None] = self.loop.create_future()
            self.engine.listen(self, lambda _item: wake(self.loop, ended))
            yield from ended.__await__()
        return outcome_of(self, self.engine)


def wake(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    """Finish a future of a loop, from whatever thread; a loop that is gone waits for nothing."""

    def finish() -> None:
        if not future.done():
            future.set_result(None)

    if not loop.is_closed():
        loop.call_soon_threadsafe(finish)


def outcome_of(item: Item, engine: Engine) -> PutResult:
    """Return or raise what became of a record that has ended."""
    outcome = item.outcome
    assert outcome is not None
    if isinstance(outcome, Kept):
        engine.tell(outcome)
        raise PutFailed(failure=outcome.failure)
    assert outcome.shard_id is not None
    assert outcome.sequence_number is not None
    return PutResult(
        shard_id=outcome.shard_id,
        sequence_number=outcome.sequence_number,
        attempts=item.attempts,
    )
