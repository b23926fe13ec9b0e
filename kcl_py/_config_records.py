"""Which settings say how records are read and handed over, and what becomes of failing ones?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, final

from kcl_py._config_checks import check_count, check_number, check_part
from kcl_py.errors import ConfigError
from kcl_py.letters import LettersGoTo, check_letters_go_to

AfterAttempts: TypeAlias = Literal["retry", "pause", "dead_letter", "skip"]
"""What applies once the tries are used up; see `OnError`."""

MIB: Final = 1024 * 1024
PAGE_RECORDS_MAX: Final = 10_000  # Source: GetRecords, Limit.
BUSY_INTERVAL_SECONDS_MIN: Final = 0.2  # Source: GetRecords, 5 calls per shard and second.
BUFFER_BYTES_MIN: Final = MIB


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PollingConfig:
    """GetRecords. Its sibling FanOutConfig comes with enhanced fan-out. KCL: PollingConfig.

    Attributes:
        busy_interval: Seconds between two reads of a shard that brings records; at least 0.2,
            which is what the service allows to all readers of a shard together.
        idle_interval: Most seconds between two reads of a shard that brings none; the wait grows up
            to this with the time it has been quiet, and is never below `busy_interval`.
            KCL: idleTimeBetweenReadsInMillis.
        page_records: Most records in one answer, 1 to 10 000. KCL: maxRecords.
        strays: What becomes of user records of an aggregated record that belong to another shard,
            as after a resharding. deliver: nobody else will deliver them. drop: right only if all
            producers notice and send them again.
    """

    busy_interval: float = 0.2
    idle_interval: float = 1.0
    page_records: int = PAGE_RECORDS_MAX
    strays: Literal["deliver", "drop"] = "deliver"

    def __post_init__(self) -> None:
        check_number("reading.busy_interval", self.busy_interval, low=BUSY_INTERVAL_SECONDS_MIN)
        check_number("reading.idle_interval", self.idle_interval, low=BUSY_INTERVAL_SECONDS_MIN)
        check_count("reading.page_records", self.page_records, low=1, high=PAGE_RECORDS_MAX)
        if self.strays not in ("deliver", "drop"):
            raise ConfigError(
                f"reading.strays = {self.strays!r} is unknown; use 'deliver' or 'drop'"
            )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryConfig:
    """How records reach the processor.

    Attributes:
        batch_records: Most records in one batch (a page is cut, never joined).
        buffer_bytes: Read ahead of all shards together; at least 1 MiB.
        checkpoint_interval: Seconds, the oldest that an unwritten checkpoint may get; None: the
            next renewal (a third of the lease duration).
        slow_after: Seconds in user code after which a warning is logged.
        hung_after: Seconds in user code after which all stacks are dumped, health goes red and the
            lease is given up; None: never.
    """

    batch_records: int = 10_000
    buffer_bytes: int = 256 * MIB
    checkpoint_interval: float | None = None
    slow_after: float = 30.0
    hung_after: float | None = 300.0

    def __post_init__(self) -> None:
        check_count("delivery.batch_records", self.batch_records, low=1)
        check_count("delivery.buffer_bytes", self.buffer_bytes, low=BUFFER_BYTES_MIN)
        if self.checkpoint_interval is not None:
            check_number("delivery.checkpoint_interval", self.checkpoint_interval, above=0.0)
        check_number("delivery.slow_after", self.slow_after, above=0.0)
        if self.hung_after is not None:
            check_number("delivery.hung_after", self.hung_after, above=0.0, hint="None is never")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Growing waits between tries.

    Attributes:
        first: Seconds before the second try.
        longest: Seconds that no wait exceeds.
        factor: By how much each wait is longer than the one before.
        jitter: Draw each wait between zero and its length, so that shards do not retry in step.
    """

    first: float = 0.1
    longest: float = 30.0
    factor: float = 2.0
    jitter: bool = True

    def __post_init__(self) -> None:
        check_number("on_error.backoff.first", self.first, above=0.0)
        check_number(
            "on_error.backoff.longest",
            self.longest,
            low=self.first,
            hint="which is on_error.backoff.first",
        )
        check_number("on_error.backoff.factor", self.factor, low=1.0)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OnError:
    """What an exception of the processor leads to. LeaseLost and cancellation never come here.

    Attributes:
        attempts: Tries before the shard goes red and `then` applies.
        backoff: Waits between tries; the lease is kept and renewed meanwhile.
        then: retry: go on at the longest back-off, red, until it works (an outage heals by itself).
            pause: stop trying until a restart, or until `kclPaused` is removed from the lease row
            (`kcl leases resume`).
            dead_letter: write the failing record to `dead_letters`, go on behind it. auto: named by
            RecordFailed, else found by halving the batch, and then tried `attempts` times by
            itself. explicit: only a record named by RecordFailed; anything else is `retry`.
            skip: as dead_letter, but only logged and counted.
        dead_letters: A sink, a function of letters, or a URL (file:, s3:, sqs:). Needed by
            dead_letter. While it fails, the shard waits.
        give_up_on: Exceptions that no retry can mend: straight to `then`.
    """

    attempts: int = 10
    backoff: Backoff = field(default_factory=Backoff)
    then: AfterAttempts = "retry"
    dead_letters: LettersGoTo | None = None
    give_up_on: tuple[type[Exception], ...] = ()

    def __post_init__(self) -> None:
        check_count("on_error.attempts", self.attempts, low=1)
        check_part("on_error.backoff", self.backoff, Backoff)
        _check_exceptions("on_error.give_up_on", self.give_up_on)
        if self.then not in ("retry", "pause", "dead_letter", "skip"):
            raise ConfigError(
                f"on_error.then = {self.then!r} is unknown; "
                "use 'retry', 'pause', 'dead_letter' or 'skip'"
            )
        check_letters_go_to(self.then, self.dead_letters)


def _check_exceptions(name: str, kinds: object) -> None:
    """Refuse what `except` would refuse too, but only once a record has failed."""
    is_right = isinstance(kinds, tuple) and all(
        isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds
    )
    if not is_right:
        raise ConfigError(
            f"{name} = {kinds!r} is not allowed; use a tuple of classes of exceptions, "
            "as (ValueError,)"
        )
