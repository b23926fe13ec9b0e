"""What may happen to a shard in the middle of its records?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Awakening: TypeAlias = Literal["taken", "initialized", "processed"]
"""When a frozen process goes on: the shard is taken, or the new owner's `initialize` has returned,
or its first batch as well."""

# ------------------------------------------------------------------- after so many records


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashAfter:
    """The process dies when so many records were handed over; another worker takes the shard."""

    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseLeaseAfter:
    """The process freezes there until another worker has taken the shard; then it goes on.

    It stands between two records, or behind the last one of a batch. No code of the new owner runs
    before the call has returned; for that there is `LoseLeaseAt`.
    """

    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleAfter:
    """From there on DynamoDB throttles every call of every worker for so many seconds.

    Attributes:
        seconds: Of virtual time. Beyond the lease duration (10 s) the lease is lost.
    """

    records: int
    seconds: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOffAfter:
    """Another worker asks for the shard and gets it, politely."""

    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitAfter:
    """The shard is split; what comes later lies in its children."""

    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeAfter:
    """The shard is merged with its neighbour; what comes later lies in their child."""

    records: int


# ---------------------------------------------------------------------------- at a moment


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashAt:
    """The process dies at a moment; another worker takes the shard.

    Attributes:
        moment: A call, as `"shutdown_requested"`: its first line. `"process_records returned"`:
            your code has returned, and the worker does not know yet. `"checkpoint"`: one is asked
            for. `"checkpoint returned"`: it is durable, and your code does not know yet; likewise
            `"prepare"` and `"commit"`. Anything else: where your code says `moment(...)`.
        nth: 3: when it comes about for the third time in the run.
    """

    moment: str
    nth: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseLeaseAt:
    """The process freezes at a moment; another worker takes the shard and works; then it goes on.

    This is what a fencing token is for: an old owner in the middle of a call, beside a new one.
    Freeze where your code holds no lock that the new owner needs, or the test waits for ever.

    Attributes:
        moment: As of `CrashAt`.
        nth: As of `CrashAt`.
        until: How far the new owner is when the old one goes on; None: the seed decides.
    """

    moment: str
    nth: int = 1
    until: Awakening | None = None


Incident: TypeAlias = (
    CrashAfter
    | CrashAt
    | HandOffAfter
    | LoseLeaseAfter
    | LoseLeaseAt
    | MergeAfter
    | SplitAfter
    | ThrottleAfter
)
"""What may be given as `incidents`, in any order."""
