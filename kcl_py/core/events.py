"""What may the core be told?

Every event, as plain frozen data; each is an answer, a request or a reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from kcl_py.aggregation import Unopened
    from kcl_py.core.commands import Method
    from kcl_py.core.consumer.page import Page
    from kcl_py.core.leases.rows import Row
    from kcl_py.core.shards.graph import Shard
    from kcl_py.records import Position


class FailureKind(StrEnum):
    """Why a remote call gave no answer that counts."""

    UNKNOWN = "unknown"
    """Timeout, cut, 5xx, unparsable: a write may have been applied, or may still be."""
    THROTTLED = "throttled"
    DENIED = "denied"
    GONE = "gone"
    """The table, the stream or the shard is not there."""
    EXPIRED = "expired"
    """The iterator is too old; get a new one."""
    INVALID = "invalid"
    """The service refuses the request as it is.

    A bug, or a position that the shard does not have.
    """


@dataclass(frozen=True, slots=True)
class Failure:
    """A remote call that failed.

    Attributes:
        action: `dynamodb:UpdateItem` and the like, for messages.
        message: What the service said, without data and credentials.
    """

    kind: FailureKind
    action: str
    message: str


# ------------------------------------------------------------------------------------ the table


@dataclass(frozen=True, slots=True)
class Applied:
    """The condition held; `row` is the row as it is now (None: deleted)."""

    row: Row | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The condition failed; `row` is the row as it was then or later (None: there is none)."""

    row: Row | None


WriteAnswer: TypeAlias = Applied | Refused | Failure


@dataclass(frozen=True, slots=True)
class RowWritten:
    """The answer to `WriteRow`."""

    write_id: int
    answer: WriteAnswer


@dataclass(frozen=True, slots=True)
class RowsScanned:
    """One page of a scan has arrived."""

    read_id: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class ScanEnded:
    """The scan is over; complete means that the last page arrived without error."""

    read_id: int
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class RowsRead:
    """The answer to `ReadRows`; what is neither found nor absent is unknown."""

    read_id: int
    rows: tuple[Row, ...]
    absent: tuple[str, ...]
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class OwnedFound:
    """The answer to `FindOwned`: keys that the index shows, possibly stale."""

    read_id: int
    keys: tuple[str, ...]
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class TableDescribed:
    """The answer to `DescribeTable`; None: there is no such table."""

    read_id: int
    table_id: str | None
    failure: Failure | None = None


# ----------------------------------------------------------------------------------- the stream


@dataclass(frozen=True, slots=True)
class ShardsListed:
    """The answer to `ListShards`.

    Attributes:
        shards: All of them; empty with a failure.
        server_time: Unix seconds of the answer's Date header.
    """

    read_id: int
    shards: tuple[Shard, ...]
    server_time: float | None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFetched:
    """The answer to `Fetch`.

    Attributes:
        page: None when there were no records.
        next_iterator: None only when the response really says that the shard ended.
        children: Child shards, named at the end of a closed shard.
        lag: Seconds behind the tip.
        bytes_read: Size of the answer, for pacing.
        unopened: What looks aggregated and is in the page as it is.
        span: Sequence numbers of the first and the last record that the service gave, whatever
            was dropped of them; None: those of the page.
        stray_count: User records outside of the shard's range of hash keys.
        dropped_count: Those of them that are not in the page.
        first_stray: Where the first of them is, or was.
    """

    fetch_id: int
    key: str
    page: Page | None
    next_iterator: str | None
    children: tuple[Shard, ...]
    lag: float
    bytes_read: int
    unopened: tuple[Unopened, ...] = ()
    span: tuple[str, str] | None = None
    stray_count: int = 0
    dropped_count: int = 0
    first_stray: Position | None = None


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """`Fetch` gave nothing."""

    fetch_id: int
    key: str
    failure: Failure


# ------------------------------------------------------------------------------------ user code


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What the processor's class says of itself; known once there is an object."""

    checkpointing: Literal["auto", "explicit"]
    idle_after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserError:
    """What user code raised.

    Attributes:
        kind: error: goes to the policy. lease_lost: user code or the guard says that the epoch is
            over.
            exit: SystemExit and its like: stop the worker.
        failed_at: The record named by RecordFailed: all before it is finished.
        may_retry: False for RecordFailed(retry=False) and for what `give_up_on` lists.
        summary: Type and place in code, for logs: a message of the user's might quote record data.
        detail: Type and the start of the message, for `status()` alone (`last_error`).
    """

    kind: Literal["error", "lease_lost", "exit"]
    summary: str
    failed_at: Position | None = None
    may_retry: bool = True
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReturned:
    """A call of user code is over. For `initialize` also what kind of processor it is."""

    run_id: int
    method: Method
    error: UserError | None = None
    traits: Traits | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointAsked:
    """User code asks for a checkpoint. Answered by `AnswerCheckpoint`.

    Attributes:
        at: Everything up to here is finished (kind checkpoint, commit), or will be on commit
            (prepare).
        handed: The newest position handed over in this epoch.
        wait: Answer when durable; else at once.
    """

    run_id: int
    request_id: int
    kind: Literal["checkpoint", "prepare", "commit"]
    at: Position
    handed: Position | None
    wait: bool = True
    state: bytes = b""


# ----------------------------------------------------------------------------------- the worker


@dataclass(frozen=True, slots=True)
class Woken:
    """Nothing happened but that `next_wakeup` has come."""


@dataclass(frozen=True, slots=True)
class WallRead:
    """The wall clock says `wall` (unix seconds) now; only its jumps against `now` matter."""

    wall: float


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Drain and stop: a signal, `request_stop`, or a processor that raised SystemExit."""


@dataclass(frozen=True, slots=True)
class ThreadCrashed:
    """A thread of the shell ended with an exception: a bug.

    The worker fences everything and fails.
    """

    thread: str
    summary: str


Event: TypeAlias = (
    RowWritten
    | RowsScanned
    | ScanEnded
    | RowsRead
    | OwnedFound
    | TableDescribed
    | ShardsListed
    | PageFetched
    | FetchFailed
    | CallReturned
    | CheckpointAsked
    | Woken
    | WallRead
    | StopAsked
    | ThreadCrashed
)
