"""What does the auditor say of a fleet? Values only; `auditor` finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that was done to a worker, and when.

    Attributes:
        at: Seconds on the clock of the logs.
        worker: Its id.
        name: As `kill -9`.
    """

    at: float
    worker: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """A shard went from one epoch to the next.

    Attributes:
        at: When the new epoch did its first thing.
        gap: Seconds to there from the last thing that the old one did.
        clean: The old owner finished its shutdown before, or had begun nothing.
        duplicates: Records that the old epoch was handed and that came again in any later one.
        fault: What was done last to the old owner, before this; None: nothing.
        since_fault: Seconds to `at` from there.
    """

    key: str
    old_worker: str
    old_token: int
    new_worker: str
    new_token: int
    at: float
    gap: float
    clean: bool
    duplicates: int = 0
    fault: str | None = None
    since_fault: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A child shard began to be processed.

    Attributes:
        at: When its first epoch did its first thing.
        since_parents: Seconds to there from the last thing done for any of its parents.
    """

    key: str
    worker: str
    at: float
    since_parents: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the logs say.

    Attributes:
        written: Records that the producer knows to be written.
        delivered: Distinct records that were handed over.
        handed: How often a record was handed over, all in all.
        lost: Written, and never handed over.
        skipped: An epoch went past a record, or began behind one that was never handed over.
        order: An epoch went back without a failed call, or a repetition left something out, or
            records came after its end.
        overlap: An older epoch acted after a newer one had begun, or two workers shared one.
        overlap_seconds: The longest time that two epochs of a shard were both active.
        parents: A child began before its ancestors were over, or one of these went on afterwards,
            or its fencing tokens are not larger than theirs.
        unknown: Handed over, but the producer knows nothing of it (an answer that was lost).
        repeated: Handed over again inside an epoch, after a failed call.
        takeovers: Every change of epoch, in order of time.
        starts: Every child shard that began, in order of time.
        fences: Epochs that their own worker ended because the lease was, or might be, lost.
        handoffs: Shards that went from a worker that had finished with them to another one.
    """

    written: int
    delivered: int
    handed: int
    lost: Sequence[str] = ()
    skipped: Sequence[str] = ()
    order: Sequence[str] = ()
    overlap: Sequence[str] = ()
    overlap_seconds: float = 0.0
    parents: Sequence[str] = ()
    unknown: int = 0
    repeated: int = 0
    takeovers: Sequence[Takeover] = ()
    starts: Sequence[Start] = ()
    fences: int = 0
    handoffs: int = 0

    @property
    def violations(self) -> Sequence[str]:
        """Everything that must not be; empty when all promises were kept."""
        return [*self.lost, *self.skipped, *self.order, *self.overlap, *self.parents]

    @property
    def duplicates(self) -> int:
        """Records that came again in a later epoch; after a crash that breaks no promise."""
        return sum(takeover.duplicates for takeover in self.takeovers)

    @property
    def duplicates_of_clean_moves(self) -> int:
        """Duplicates that no crash excuses; none, with auto checkpoints."""
        return sum(takeover.duplicates for takeover in self.takeovers if takeover.clean)
