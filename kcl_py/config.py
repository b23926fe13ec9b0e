"""Which settings does a worker have, and which values are allowed?

Durations are float seconds, sizes are bytes. Every class is frozen, keyword-only and checked when
it is made: a `ConfigError` names the field, the value, what is allowed, and the way out. The same
names are read from the environment and from `--set` (see `settings.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, final

from kcl_py._config_checks import check_count as _check_count
from kcl_py._config_checks import check_number as _check_number
from kcl_py._config_notices import NoticeConfig
from kcl_py._config_observe import HealthConfig, MetricsConfig
from kcl_py._config_sources import FILE_VARIABLE, apply_sources, from_variables, read_config_file
from kcl_py.errors import ConfigError
from kcl_py.letters import LettersGoTo, check_letters_go_to
from kcl_py.settings import apply_settings, parse_setting, settings_from_env

if TYPE_CHECKING:
    from os import PathLike

__all__ = [
    "AfterAttempts",
    "Backoff",
    "DeliveryConfig",
    "HealthConfig",
    "InitialPosition",
    "LeaseConfig",
    "MetricsConfig",
    "NoticeConfig",
    "OnError",
    "PollingConfig",
    "TableConfig",
    "WorkerConfig",
    "apply_settings",
    "normalise_initial_position",
    "parse_setting",
]

InitialPosition: TypeAlias = Literal["earliest", "latest", "TRIM_HORIZON", "LATEST"] | datetime
"""Where a shard without a checkpoint starts. A naive datetime is refused. Has no effect once a
checkpoint exists."""

AfterAttempts: TypeAlias = Literal["retry", "pause", "dead_letter", "skip"]
"""What applies once the tries are used up; see `OnError`."""

MIB: Final = 1024 * 1024
DURATION_SECONDS_MIN: Final = 3.0
DURATION_SECONDS_MAX: Final = 300.0
FENCE_MARGIN_SECONDS_MIN: Final = 0.5
PAGE_RECORDS_MAX: Final = 10_000  # Source: GetRecords, Limit.
BUSY_INTERVAL_SECONDS_MIN: Final = 0.2  # Source: GetRecords, 5 calls per shard and second.
BUFFER_BYTES_MIN: Final = MIB

_RESERVED_KEYS: Final = frozenset(
    {"Leader", "Migration3.0", "TableMigration3.5", "kcl-application"}
)
_WORKER_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TABLE_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}")  # Source: CreateTable, TableName.
_POSITIONS: Final[Mapping[str, Literal["earliest", "latest"]]] = {
    "earliest": "earliest",
    "latest": "latest",
    "TRIM_HORIZON": "earliest",
    "LATEST": "latest",
}


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
        _check_number("on_error.backoff.first", self.first, above=0.0)
        _check_number("on_error.backoff.longest", self.longest, low=self.first)
        _check_number("on_error.backoff.factor", self.factor, low=1.0)


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
        _check_count("on_error.attempts", self.attempts, low=1)
        if self.then not in ("retry", "pause", "dead_letter", "skip"):
            raise ConfigError(
                f"on_error.then = {self.then!r} is unknown; "
                "use 'retry', 'pause', 'dead_letter' or 'skip'"
            )
        check_letters_go_to(self.then, self.dead_letters)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseConfig:
    """How this worker competes for shards. KCL: LeaseManagementConfig.

    Attributes:
        duration: Seconds without a renewal after which others may take a lease, 3 to 300.
            KCL: failoverTimeMillis, default 10 000 ms.
        fence_margin: Seconds before the end of the duration at which this worker stops acting for
            a shard; at least 0.5, below two thirds of the duration.
        max_leases: Most leases that this worker takes; None: no limit. KCL: maxLeasesForWorker.
        handoff_timeout: Seconds; a drain longer than this cancels the handoff. Below `stop_grace`.
        settle: Seconds up and with an unchanged fleet before this worker asks for a lease that
            somebody else is processing.
        scan_interval: Seconds between reads of the table. None adapts to the number of workers W:
            clamp(D/3, W * D/60, 2 * D/3), where D is the duration.
    """

    duration: float = 10.0
    fence_margin: float = 0.5
    max_leases: int | None = None
    handoff_timeout: float = 20.0
    settle: float = 6.0
    scan_interval: float | None = None

    def __post_init__(self) -> None:
        _check_number(
            "leases.duration",
            self.duration,
            low=DURATION_SECONDS_MIN,
            high=DURATION_SECONDS_MAX,
            hint="the default is 10; the unit is seconds",
        )
        _check_number("leases.fence_margin", self.fence_margin, low=FENCE_MARGIN_SECONDS_MIN)
        two_thirds = 2 * self.duration / 3
        if self.fence_margin >= two_thirds:
            raise ConfigError(
                f"leases.fence_margin = {self.fence_margin} must be below {two_thirds:g}, two "
                "thirds of leases.duration, or a renewal has no time; lower it, or raise that"
            )
        if self.max_leases is not None:
            _check_count("leases.max_leases", self.max_leases, low=1, hint="None is no limit")
        _check_number("leases.handoff_timeout", self.handoff_timeout, above=0.0)
        _check_number("leases.settle", self.settle, low=0.0)
        if self.scan_interval is not None:
            _check_number(
                "leases.scan_interval",
                self.scan_interval,
                above=0.0,
                high=two_thirds,
                hint="an expiry cannot be timed with fewer scans; None adapts to the fleet",
            )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TableConfig:
    """The lease table. Options other than `name` and `create` apply only when we create it.

    Attributes:
        name: None: the application name. KCL: tableName.
        create: Create the table if it is missing; needs the permission to.
        tags: Of the new table.
        point_in_time_recovery: Continuous backups of the new table.
        deletion_protection: Refuse to delete the new table.
        kms_key: Key id, ARN or alias for encryption at rest; None: the key that AWS owns.
    """

    name: str | None = None
    create: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)
    point_in_time_recovery: bool = False
    deletion_protection: bool = False
    kms_key: str | None = None

    def __post_init__(self) -> None:
        if self.name is not None and not _TABLE_NAME.fullmatch(self.name):
            raise ConfigError(
                f"table.name = {self.name!r} is no table name; "
                "use 3 to 255 letters, digits, '_', '-' and '.'"
            )


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
        _check_number("reading.busy_interval", self.busy_interval, low=BUSY_INTERVAL_SECONDS_MIN)
        _check_number("reading.idle_interval", self.idle_interval, low=BUSY_INTERVAL_SECONDS_MIN)
        _check_count("reading.page_records", self.page_records, low=1, high=PAGE_RECORDS_MAX)
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
        _check_count("delivery.batch_records", self.batch_records, low=1)
        _check_count("delivery.buffer_bytes", self.buffer_bytes, low=BUFFER_BYTES_MIN)
        if self.checkpoint_interval is not None:
            _check_number("delivery.checkpoint_interval", self.checkpoint_interval, above=0.0)
        _check_number("delivery.slow_after", self.slow_after, above=0.0)
        if self.hung_after is not None:
            _check_number("delivery.hung_after", self.hung_after, above=0.0, hint="None is never")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """Everything tunable that is plain data.

    The same names in the environment (`KCL_LEASES_DURATION=10s`), on the command line
    (`--set leases.duration=10s`) and in a file of TOML. Unknown settings are refused with the
    nearest right one.

    Attributes:
        initial_position: Where a shard without a checkpoint starts. KCL: initialPositionInStream.
        worker_name: Readable prefix; the id in the table is `<worker_name or host>-<pid>-<random>`,
            new for every Worker object. `kcl run` and `Worker.from_env` take the ECS task or EC2
            instance before the host. KCL: workerIdentifier.
        stop_grace: Seconds for drain, final checkpoints and handover; below the 30 s that ECS and
            Kubernetes grant by default.
        on_error: What an exception of the processor leads to.
        leases: How this worker competes for shards.
        table: The lease table.
        reading: How shards are read.
        delivery: How records reach the processor.
        notices: Which notices of the machine start a drain.

        health: Whom the worker tells that it is alive.
        metrics: Where numbers are sent.
        region: AWS region; None: as boto3 finds it.
        kinesis_endpoint_url: Another address for Kinesis; None: as boto3 finds it.
        dynamodb_endpoint_url: Another address for DynamoDB; None: as boto3 finds it.
        transport: Of GetRecords and lease writes. direct: our own, once botocore has shown how.
            botocore: nothing else, for event handlers of a session that must see every call.
    """

    initial_position: InitialPosition = "earliest"
    worker_name: str | None = None
    stop_grace: float = 25.0
    on_error: OnError = field(default_factory=OnError)
    leases: LeaseConfig = field(default_factory=LeaseConfig)
    table: TableConfig = field(default_factory=TableConfig)
    reading: PollingConfig = field(default_factory=PollingConfig)
    delivery: DeliveryConfig = field(default_factory=DeliveryConfig)
    notices: NoticeConfig = field(default_factory=NoticeConfig)

    health: HealthConfig = field(default_factory=HealthConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    region: str | None = None
    kinesis_endpoint_url: str | None = None
    dynamodb_endpoint_url: str | None = None
    transport: Literal["direct", "botocore"] = "direct"

    def __post_init__(self) -> None:
        normalise_initial_position(self.initial_position)
        if self.worker_name is not None:
            _check_worker_name(self.worker_name)
        _check_number("stop_grace", self.stop_grace, above=0.0)
        if self.leases.handoff_timeout >= self.stop_grace:
            raise ConfigError(
                f"leases.handoff_timeout = {self.leases.handoff_timeout} must be below stop_grace "
                f"= {self.stop_grace}, or a stop could not wait for a handoff; lower the first or "
                "raise the second"
            )
        if self.transport not in ("direct", "botocore"):
            raise ConfigError(f"transport = {self.transport!r}; use 'direct' or 'botocore'")
        for name in ("kinesis_endpoint_url", "dynamodb_endpoint_url"):
            url = getattr(self, name)
            if url is not None and not url.startswith(("http://", "https://")):
                raise ConfigError(f"{name} = {url!r} must start with http:// or https://")

    @classmethod
    def from_env(
        cls, env: Mapping[str, str] | None = None, *, file: str | PathLike[str] | None = None
    ) -> WorkerConfig:
        """Read `KCL_*` variables and a file: variable before file before default.

        An unknown variable only warns; an unknown name in the file is refused.

        Args:
            env: None: the environment of this process.
            file: TOML; None: the one that `KCL_CONFIG` names, if any.

        Raises:
            ConfigError: A value is wrong, or the file; the message says where.
        """
        if env is None:
            from kcl_py._environment import process_environment  # noqa: PLC0415 - keeps this pure

            env = process_environment()
        path = file if file is not None else env.get(FILE_VARIABLE)
        said = read_config_file(path).settings if path else {}
        return apply_sources(cls(), from_variables(settings_from_env(env)), said)


def normalise_initial_position(value: InitialPosition) -> Literal["earliest", "latest"] | datetime:
    """The one spelling of an initial position; refuses everything that is none."""
    if isinstance(value, datetime):
        if value.tzinfo is None or value.utcoffset() is None:
            raise ConfigError(
                f"initial_position = {value.isoformat()} has no time zone; "
                "make it aware, as datetime(..., tzinfo=timezone.utc)"
            )
        return value
    try:
        return _POSITIONS[value]
    except (KeyError, TypeError):
        raise ConfigError(
            f"initial_position = {value!r} is unknown; "
            "use 'earliest', 'latest' or an aware datetime"
        ) from None


def _check_worker_name(name: str) -> None:
    if not _WORKER_NAME.fullmatch(name):
        raise ConfigError(
            f"worker_name = {name!r} is not allowed; use 1 to 64 letters, digits, '_', '-' and '.'"
        )
    if name in _RESERVED_KEYS or name.startswith("shardId-"):
        raise ConfigError(
            f"worker_name = {name!r} looks like a row of the lease table that is no worker; "
            "choose another name"
        )
