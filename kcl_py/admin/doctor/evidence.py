"""What was seen of an application, its stream, its table and its rights, before it is judged?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from kcl_py.core.events import Failure
from kcl_py.core.leases.rows import ApplicationRow, LeaseRow, Row, StrangeRow, WorkerRow

if TYPE_CHECKING:
    from kcl_py.admin.lag import ShardLag
    from kcl_py.core.shards.graph import Shard
    from kcl_py.errors import KclError

Liveness: TypeAlias = Literal["live", "unknown", "dead"]


@dataclass(frozen=True, slots=True)
class Right:
    """A call that a worker makes, and whether it may.

    Attributes:
        action: `kinesis:GetRecords` and the like.
        failure: Why it did not work; None: it did.
        not_tried: Why it was not tried; empty: it was.
    """

    action: str
    failure: Failure | None = None
    not_tried: str = ""


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """How this machine's clocks are.

    Attributes:
        skew: Seconds that the wall clock is ahead of the service's; None: not known.
        rate: Seconds of the monotonic clock for one of the wall clock; None: watched too briefly.
    """

    skew: float | None = None
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class ShardCount:
    """Open shards of the account in this region, and how many it may have."""

    used: int
    allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that was seen. What was not asked, since something before it failed, is empty.

    Attributes:
        stopped_by: Why nothing could be asked at all: no credentials, no region.
        may_create: Workers create a missing table.
        stream: `StreamDescriptionSummary` as it came, or why it did not.
        table: `Table` of DescribeTable, or why it did not come; None: there is no such table.
        rows: By key; empty without a table.
        foreign: Leases whose counter was moved by somebody who is no worker of kcl_py.
        rows_failure: Why they could not be read.
        shards: All that the stream lists; None: they could not be listed.
        liveness: Of each worker and owner that a row names.
        watched: Seconds for which counters were watched.
        is_watched: It was asked for; False: nobody wanted to know who lives.
        lags: Of each shard that has a place.
        lags_failure: Why they could not be looked at.
        shard_count: None: it was not to be had, which is no matter.
    """

    app_name: str
    table_name: str
    stream_name: str
    may_create: bool = True
    stopped_by: KclError | None = None
    stream: Mapping[str, Any] | Failure | None = None
    table: Mapping[str, Any] | Failure | None = None
    rights: Sequence[Right] = ()
    rows: Mapping[str, Row] = field(default_factory=dict)
    foreign: Sequence[str] = ()
    rows_failure: KclError | None = None
    shards: Sequence[Shard] | None = None
    liveness: Mapping[str, Liveness] = field(default_factory=dict)
    watched: float = 0.0
    is_watched: bool = True
    lags: Sequence[ShardLag] = ()
    lags_failure: KclError | None = None
    clock: ClockSeen = ClockSeen()
    shard_count: ShardCount | None = None

    @property
    def leases(self) -> dict[str, LeaseRow]:
        """Lease rows by key."""
        return {key: row for key, row in self.rows.items() if isinstance(row, LeaseRow)}

    @property
    def workers(self) -> dict[str, WorkerRow]:
        """Worker rows by key."""
        return {key: row for key, row in self.rows.items() if isinstance(row, WorkerRow)}

    @property
    def strange(self) -> list[StrangeRow]:
        """Rows that cannot be read, or are not ours."""
        return [row for row in self.rows.values() if isinstance(row, StrangeRow)]

    @property
    def application(self) -> ApplicationRow | None:
        """The row that says whose table this is."""
        return next((row for row in self.rows.values() if isinstance(row, ApplicationRow)), None)
