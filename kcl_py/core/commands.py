"""What may the core ask the shell to do? Every command, as plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kcl_py.aggregation import StrayPolicy
    from kcl_py.core.consumer.page import Page
    from kcl_py.core.leases.rows import Pending
    from kcl_py.core.leases.writes import RowWrite
    from kcl_py.errors import KclError
    from kcl_py.records import Position, Record


# ------------------------------------------------------------------------------------ the table


@dataclass(frozen=True, slots=True)
class WriteRow:
    """Send one conditional write. Answered by `RowWritten`, once.

    Attributes:
        write_id: Names the attempt in its answer.
        urgent_by: The fence that it serves; the earliest goes first. Infinite when nothing hangs on
            it.
    """

    write_id: int
    write: RowWrite
    urgent_by: float


@dataclass(frozen=True, slots=True)
class ScanRows:
    """Read the whole table. Answered by `RowsScanned` per page, then one `ScanEnded`."""

    read_id: int
    consistent: bool


@dataclass(frozen=True, slots=True)
class ReadRows:
    """Read these rows consistently. Answered by one `RowsRead`."""

    read_id: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindOwned:
    """Ask the index which lease rows name this owner. Answered by one `OwnedFound`."""

    read_id: int
    owner: str


@dataclass(frozen=True, slots=True)
class DescribeTable:
    """Ask which table this is now. Answered by one `TableDescribed`."""

    read_id: int


# ----------------------------------------------------------------------------------- the stream


@dataclass(frozen=True, slots=True)
class ListShards:
    """List the shards of the stream, afresh. Answered by one `ShardsListed`.

    Attributes:
        since: Only those that took records at or after this time, unix seconds (ShardFilter
            FROM_TIMESTAMP). It saves reading through old shards; an answer that is not filtered
            is right as well.
    """

    read_id: int
    since: float | None = None


class StartKind(StrEnum):
    """Where a read begins."""

    TRIM_HORIZON = "TRIM_HORIZON"
    AT_TIMESTAMP = "AT_TIMESTAMP"
    AT = "AT_SEQUENCE_NUMBER"
    AFTER = "AFTER_SEQUENCE_NUMBER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A place to get an iterator for.

    Attributes:
        timestamp: Unix seconds, for AT_TIMESTAMP.
        sequence_number: For AT and AFTER.
    """

    kind: StartKind
    sequence_number: str | None = None
    timestamp: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Read one page of a shard. Answered by `PageFetched` or `FetchFailed`, once.

    Attributes:
        fetch_id: Names the read in its answer.
        iterator: Continue here; None: get an iterator at `start` first.
        start: Where this read begins if there is no iterator (or it has expired).
        records_max: GetRecords' Limit.
        hash_range: Of the shard, inclusive; None: not known, so nothing in it is a stray.
        strays: What becomes of user records outside of it.
    """

    fetch_id: int
    key: str
    shard_id: str
    iterator: str | None
    start: Start
    records_max: int
    hash_range: tuple[int, int] | None = None
    strays: StrayPolicy = "deliver"


# ------------------------------------------------------------------------------------ user code

Method: TypeAlias = Literal[
    "initialize",
    "process_records",
    "shutdown_requested",
    "shard_ended",
    "lease_lost",
    "close",
    "write_letter",
]
"""What is called in the thread of a run: the processor, and the sink of its dead letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochFacts:
    """One ownership of one shard: what a processor is told of it.

    Attributes:
        token: Fencing token; constant for the epoch.
        fence: Clock reading at which this epoch ends unless it is renewed.
        checkpointed: Durable position at which the epoch starts; None: at the initial position.
        pending: What an earlier owner prepared and did not commit.
    """

    key: str
    shard_id: str
    token: int
    fence: float
    checkpointed: Position | None
    pending: Pending | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun:
    """Make a processor object for an epoch and call `initialize`. Answered by `CallReturned`.

    A run is one processor object in one epoch; an epoch may see several runs, one after another.
    """

    run_id: int
    epoch: EpochFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Call `process_records` with `page[start:stop]`. Answered by `CallReturned`.

    Attributes:
        page: None for an empty batch (`idle_after`).
        attempt: 1 at first; counts failures since anything was last finished.
        at_shard_end: Nothing follows in this shard.
    """

    run_id: int
    page: Page | None
    start: int
    stop: int
    attempt: int
    lag: float
    at_shard_end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallProcessor:
    """Call one of the other methods. `close` ends the run. Answered by `CallReturned`."""

    run_id: int
    method: Method
    reason: Literal["stop", "handoff"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteLetter:
    """Give the sink the letter of a record that is given up. Answered by `CallReturned`.

    What `process_records` or `shard_ended` of this run raised last is the reason.

    Attributes:
        record: None: that of the RecordFailed which was raised last.
        failures: How often it failed by itself.
    """

    run_id: int
    position: Position
    record: Record | None
    failures: int


@dataclass(frozen=True, slots=True)
class MoveFence:
    """From now on the run may act until this clock reading; minus infinity: no more, for ever.

    Attributes:
        durable: The newest durable checkpoint of the epoch, for `checkpointed`; None: no news.
    """

    run_id: int
    until: float
    durable: Position | None = None


@dataclass(frozen=True, slots=True)
class AnswerCheckpoint:
    """Let the user call that asked for a checkpoint return, or raise.

    Attributes:
        durable: The durable checkpoint of the epoch now.
    """

    request_id: int
    durable: Position | None
    error: KclError | None = None


# ----------------------------------------------------------------------------------- the worker


@dataclass(frozen=True, slots=True)
class Report:
    """Log one event of the catalogue and hand it to `on_event`.

    Attributes:
        name: `noun.past_verb`, constant.
        level: debug: each step; info: ownership and lifecycle; warning: retried or lost; error:
            act.
    """

    name: str
    level: Literal["debug", "info", "warning", "error"] = "info"
    key: str | None = None
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DumpStacks:
    """Write the stacks of all threads to the log: user code hangs."""

    key: str
    run_id: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The worker is done: cleanly, or with the error that stopped it."""

    error: KclError | None = None


Command: TypeAlias = (
    WriteRow
    | ScanRows
    | ReadRows
    | FindOwned
    | DescribeTable
    | ListShards
    | Fetch
    | StartRun
    | Deliver
    | CallProcessor
    | WriteLetter
    | MoveFence
    | AnswerCheckpoint
    | Report
    | DumpStacks
    | Finish
)
