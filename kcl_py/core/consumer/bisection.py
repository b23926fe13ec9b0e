"""How many records are tried next after a failure, and is one given up? A pure judgement.

A batch that failed as often as the policy says is halved, until what fails is one record. A record
that was found, or named by RecordFailed, is given up once it has failed `attempts` times by itself,
never before: an outage of a sink gives up little, and slowly. With n records in a batch and p of
them poison that is at most p * (2 * attempts + log2 n) tries more than without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kcl_py.core.consumer.progress import is_behind

if TYPE_CHECKING:
    from kcl_py.config import OnError
    from kcl_py.core.consumer.buffer import Slice
    from kcl_py.records import Position

GIVES_UP: Final = ("dead_letter", "skip")
"""Policies that go on without a record."""


@dataclass(frozen=True, slots=True)
class Blame:
    """What follows from one failure.

    Attributes:
        position: The record that is to be given up; None: none is.
        failures: So often it failed, or what is tried next did; the wait grows with it. None: the
            failure is that of the whole batch, and the policy's wait applies.
        narrows: Over so many records the search has just begun; 0: it has not.
    """

    position: Position | None = None
    failures: int | None = None
    narrows: int = 0


OF_THE_WHOLE: Final = Blame()


class Bisection:
    """What is known of the records that fail, in one epoch of one shard.

    Positions and not places in a page: after a pause the page is read anew.
    """

    def __init__(self, policy: OnError) -> None:
        self._policy = policy
        self._until: Position | None = None
        self._culprit: Position | None = None
        self._failures = 0

    @property
    def is_narrowing(self) -> bool:
        """What fails lies in a part of what was delivered, and is not found yet."""
        return self._until is not None

    def most(self, part: Slice) -> int:
        """Return how many records to try next, of those that come next."""
        if self._until is None:
            return part.count
        suspects = part.count_up_to(self._until)
        return suspects if suspects == 1 else max(1, suspects // 2)

    def reached(self, finished: Position | None) -> None:
        """Everything up to `finished` is finished: if all suspects are, none of them is one."""
        if self._until is not None and not is_behind(finished, self._until):
            self._until = None

    def failed(
        self,
        part: Slice | None,
        *,
        named: Position | None,
        may_retry: bool,
        is_exhausted: bool,
        is_auto: bool,
    ) -> Blame:
        """Learn that a try of `process_records` failed.

        Args:
            part: What was delivered and is not finished; None: nothing.
            named: The record that RecordFailed names, not finished; None: it was another error.
            may_retry: No retry can mend it.
            is_exhausted: The batch has failed as often as the policy says.
            is_auto: What was delivered may be delivered again in parts.
        """
        if self._policy.then not in GIVES_UP:
            return OF_THE_WHOLE
        if named is not None:
            self._until = None
            return self._of_one(named, may_retry=may_retry)
        if part is None or not is_auto:
            return OF_THE_WHOLE
        if part.count == 1:
            return self._of_one(part.last, may_retry=may_retry)
        if self.is_narrowing or is_exhausted or not may_retry:
            narrows = 0 if self.is_narrowing else part.count
            self._until = part.last
            return Blame(failures=1, narrows=narrows)
        return OF_THE_WHOLE

    def gave_up(self) -> None:
        """The culprit is out of the way: nothing is known of what comes behind it."""
        self._until = self._culprit = None

    def _of_one(self, position: Position, *, may_retry: bool) -> Blame:
        if position != self._culprit:
            self._culprit, self._failures = position, 0
        self._failures += 1
        if self._failures >= self._policy.attempts or not may_retry:
            return Blame(position=position, failures=self._failures)
        return Blame(failures=self._failures)
