"""How do we get a listing of the shards, however often it takes?"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from kcl_py.core.events import FailureKind
from kcl_py.errors import AccessDenied, StreamNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.events import Failure, ShardsListed
    from kcl_py.core.shards.cleanup import Vanished
    from kcl_py.core.shards.context import Context
    from kcl_py.core.shards.graph import Shard

    OnListing: TypeAlias = Callable[[float, tuple[Shard, ...]], None]


class Listing:
    """Asks for listings, tries again with growing pauses, and notes what they do not show.

    A stream that is gone ends the worker. A denied call does so at the start; later on it is
    retried with an error in the log, because the shards that we have can still be read.
    """

    def __init__(self, context: Context, vanished: Vanished) -> None:
        self._context = context
        self._vanished = vanished
        self._asked = 0
        self._is_started = False

    def ask(self, now: float, then: OnListing, *, since: float | None = None) -> None:
        """List the shards afresh; `then(now, shards)` is called once, with a non-empty listing.

        Args:
            now: Clock reading.
            then: Gets the shards.
            since: Leave out what was closed before this time (unix seconds), if the service can.
        """
        self._asked += 1
        _Question(self, self._context, str(self._asked), then, since).send(now)

    def answered(self, now: float, shards: tuple[Shard, ...], *, is_filtered: bool) -> None:
        """Note a listing that arrived."""
        self._is_started = True
        if not is_filtered:
            self._vanished.note_listing(now, [shard.shard_id for shard in shards])

    def is_hopeless(self, now: float, failure: Failure) -> bool:
        """Stop the worker if trying again will not help, and say whether it is so."""
        if failure.kind is FailureKind.GONE:
            message = f"the stream is gone: {failure.message}. Create it, or correct its name"
            self._context.listener.fail(now, StreamNotFound(message))
            return True
        if failure.kind is FailureKind.DENIED and not self._is_started:
            self._context.listener.fail(now, AccessDenied(failure.message, action=failure.action))
            return True
        return False


class _Question:
    """One listing that somebody waits for."""

    def __init__(
        self, listing: Listing, context: Context, name: str, then: OnListing, since: float | None
    ) -> None:
        self._listing = listing
        self._context = context
        self._name = ("shards", "list", name)
        self._then = then
        self._since = since
        self._attempt = 0

    def send(self, now: float) -> None:
        del now
        self._context.calls.list_shards(self._answered, since=self._since)

    def _answered(self, now: float, answer: ShardsListed) -> None:
        if answer.failure is not None:
            self._failed(now, answer.failure)
        elif not answer.shards:
            self._again(now, "warning", "the listing is empty")
        else:
            self._listing.answered(now, answer.shards, is_filtered=self._since is not None)
            self._then(now, answer.shards)

    def _failed(self, now: float, failure: Failure) -> None:
        if self._listing.is_hopeless(now, failure):
            return
        if failure.kind is FailureKind.INVALID and self._since is not None:
            self._since = None
            self.send(now)
            return
        level = "error" if failure.kind is FailureKind.DENIED else "warning"
        self._again(now, level, failure.message)

    def _again(self, now: float, level: str, why: str) -> None:
        wait = self._context.pause(self._attempt)
        self._attempt += 1
        self._context.calls.report(
            "shards.listing_retried",
            "error" if level == "error" else "warning",
            attempt=self._attempt,
            wait=round(wait, 2),
            why=why,
        )
        self._context.timers.at(now + wait, self._name, self.send)
