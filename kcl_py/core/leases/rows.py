"""What do the rows of the lease table say? Rows are not memory: what we saw when is in `sights`.

Attribute names, types and sentinels of the wire are in `aws/lease_codec.py`; durations here are
seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from kcl_py.records import Position

APPLICATION_KEY = "kcl-application"
RESERVED_KEYS = frozenset({APPLICATION_KEY, "Leader", "Migration3.0", "TableMigration3.5"})
"""Keys that no worker may have as its id. Source: PROTOCOL section 2."""

JAVA_KEYS = RESERVED_KEYS - {APPLICATION_KEY}
"""Rows that only a Java KCL 3.x makes."""

PLACEHOLDER_OWNER = "kcl-repair"
"""Owner named by a row that repair created: dead for everybody, so it is taken by expiry only."""

DURATION_MIN = 3.0
DURATION_MAX = 300.0
"""Bounds of a lease duration in seconds; a row outside of them counts as DURATION_MAX."""


class Sentinel(StrEnum):
    """A checkpoint that is no sequence number. Source: SentinelCheckpoint of the Java KCL."""

    AT_TIMESTAMP = "AT_TIMESTAMP"
    TRIM_HORIZON = "TRIM_HORIZON"
    LATEST = "LATEST"
    SHARD_END = "SHARD_END"


Checkpoint: TypeAlias = Position | Sentinel

_SENTINEL_ORDER = {Sentinel.AT_TIMESTAMP: 0, Sentinel.TRIM_HORIZON: 1, Sentinel.LATEST: 2}


def checkpoint_order(checkpoint: Checkpoint) -> tuple[int, int, str, int]:
    """Return a key that orders checkpoints.

    Start sentinels, then positions as numbers, then SHARD_END.
    """
    if isinstance(checkpoint, Position):
        # Without leading zeros, longer is larger, and equal lengths compare as text.
        digits = checkpoint.sequence_number
        return (3, len(digits), digits, checkpoint.sub_sequence_number)
    if checkpoint is Sentinel.SHARD_END:
        return (4, 0, "", 0)
    return (_SENTINEL_ORDER[checkpoint], 0, "", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A prepared checkpoint that nobody has committed yet."""

    position: Position
    state: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """One lease row as the table had it.

    Attributes:
        key: Lease key; the shard id in a table of one stream.
        duration: Lease duration of whoever wrote last, seconds; None if a Java worker did.
        offer: The counter at which the row was offered; an offer stands while it equals `counter`.
        start_at: Unix seconds at which a sentinel checkpoint was resolved, if it needs a time.
        root: Created by initial sync: waits for no parent.
        paused: Its owner says so: user code failed too often.
        halted: Somebody asked that it rests: no owner runs user code of it.
        marks: How often somebody halted or resumed it; None: never.
        hash_range: Inclusive hash-key range of the shard.
    """

    key: str
    counter: int
    checkpoint: Checkpoint
    owner: str | None = None
    checkpoint_owner: str | None = None
    nonce: str | None = None
    duration: float | None = None
    offer: int | None = None
    start_at: float | None = None
    root: bool = False
    paused: bool = False
    halted: bool = False
    marks: int | None = None
    parents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    hash_range: tuple[int, int] | None = None
    owner_switches: int = 0
    pending: Pending | None = None

    @property
    def actual_owner(self) -> str | None:
        """Whoever may process: the checkpoint owner during a handoff, else the owner."""
        return self.checkpoint_owner if self.checkpoint_owner is not None else self.owner

    @property
    def is_finished(self) -> bool:
        """A tombstone: everything in the shard was processed."""
        return self.checkpoint is Sentinel.SHARD_END

    @property
    def is_offered(self) -> bool:
        """Given away by an owner whose user code has stopped; nobody runs it."""
        return self.offer is not None and self.offer == self.counter and not self.is_finished

    @property
    def is_ownerless(self) -> bool:
        """Nobody is named, and the shard is not finished."""
        return self.owner is None and self.checkpoint_owner is None and not self.is_finished

    @property
    def in_handoff(self) -> bool:
        """Somebody asked for it and its owner has not given it away yet."""
        return self.checkpoint_owner is not None

    def wait_seconds(self, own_duration: float) -> float:
        """Return how long its counter must stand still before others may take it, seconds."""
        return _longer(own_duration, self.duration)


def _longer(own_duration: float, stated: float | None) -> float:
    """Return the longer of the own duration and one that a row states, seconds."""
    if stated is None:
        return own_duration
    if not DURATION_MIN <= stated <= DURATION_MAX:
        return DURATION_MAX
    return max(own_duration, stated)


class WorkerState(StrEnum):
    """What a worker says of itself in its row."""

    RUNNING = "running"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """One worker row: its presence says nothing, only a moving beat does.

    Attributes:
        beat: Heartbeat counter, moved by its own worker only.
        lease_max: Most leases it will hold; None for no limit.
        plan_version: Version of the assignment plan that it computes.
        duration: Its lease duration, seconds: it beats three times in that; None: not said.
    """

    key: str
    beat: int
    state: WorkerState = WorkerState.RUNNING
    lease_max: int | None = None
    plan_version: int = 1
    duration: float | None = None

    def silence_seconds(self, own_duration: float) -> float:
        """Return how long nothing of it must move before it counts as dead, seconds."""
        return _longer(own_duration, self.duration)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationRow:
    """The one row that says whose table this is.

    Attributes:
        stream_arn: The stream of this application.
        stream_created_at: Its creation time, unix seconds, told apart from a namesake created
            later.
        table_id: Id of the table in which the row was created; another one means a restored copy.
        protocol: Version of the lease protocol.
        position: Initial position: TRIM_HORIZON, LATEST or AT_TIMESTAMP.
        start_at: Its time in unix seconds for LATEST (resolved once) and AT_TIMESTAMP.
        initial_sync_done: The first complete shard sync was finished.
    """

    stream_arn: str
    stream_created_at: float
    table_id: str
    protocol: int
    position: Sentinel
    start_at: float | None = None
    initial_sync_done: bool = False
    key: str = APPLICATION_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangeRow:
    """A row that we cannot read or that is not ours.

    It is skipped with one warning, the others go on.

    Attributes:
        is_java: It proves that a Java KCL (3.x or in migration) uses this table.
    """

    key: str
    why: str
    is_java: bool = False


Row: TypeAlias = LeaseRow | WorkerRow | ApplicationRow | StrangeRow
