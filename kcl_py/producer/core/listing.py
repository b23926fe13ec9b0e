"""When are the shards listed? When they are not known, or something landed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kcl_py.core.events import Failure, FailureKind
from kcl_py.producer.core.retrying import wait_seconds
from kcl_py.producer.core.shard_map import ShardMap

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from kcl_py.core.shards.graph import Shard

INTERVAL_SECONDS: Final = 1.0
"""Between two listings, however much lands elsewhere."""


class Listing:
    """Decides on ListShards.

    Attributes:
        is_possible: Nobody has forbidden it.
    """

    def __init__(self) -> None:
        self.is_possible = True
        self._is_wanted = False
        self._is_under_way = False
        self._not_before = 0.0
        self._failures = 0

    def want(self, now: float) -> None:
        """Ask for a listing, unless there is one under way or due."""
        if not self._is_wanted and not self._is_under_way:
            self._is_wanted = True
            self._not_before = max(self._not_before, now)

    def is_due(self, now: float) -> bool:
        """Whether to list now."""
        return (
            self._is_wanted
            and self.is_possible
            and not self._is_under_way
            and now >= self._not_before
        )

    def next_due(self) -> float | None:
        """When to list."""
        if self._is_wanted and self.is_possible and not self._is_under_way:
            return self._not_before
        return None

    def began(self) -> None:
        """It is under way."""
        self._is_under_way, self._is_wanted = True, False

    def answered(self, answer: Sequence[Shard] | Failure, now: float, rng: random.Random) -> None:
        """It is over; one that failed is wanted again by whoever still waits for it."""
        self._is_under_way = False
        if isinstance(answer, Failure):
            self._failures += 1
            self._not_before = now + wait_seconds(self._failures, rng)
            if answer.kind in (FailureKind.DENIED, FailureKind.INVALID):
                self.is_possible = False
        else:
            self._failures = 0
            self._not_before = now + INTERVAL_SECONDS

    def map_of(self, shards: Sequence[Shard], known: ShardMap | None) -> ShardMap:
        """The map of a listing; its version stays if the same shards are open."""
        version = 1 if known is None else known.version
        made = ShardMap(shards, version)
        if known is not None and not made.agrees_with(known):
            made.version += 1
        return made
