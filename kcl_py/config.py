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

from kcl_py._config_checks import check_number as _check_number
from kcl_py._config_checks import check_part as _check_part
from kcl_py._config_leases import LeaseConfig, TableConfig
from kcl_py._config_notices import NoticeConfig
from kcl_py._config_observe import HealthConfig, MetricsConfig
from kcl_py._config_records import (
    MIB,
    PAGE_RECORDS_MAX,
    AfterAttempts,
    Backoff,
    DeliveryConfig,
    OnError,
    PollingConfig,
)
from kcl_py._config_sources import FILE_VARIABLE, apply_sources, from_variables, read_config_file
from kcl_py.errors import ConfigError
from kcl_py.settings import apply_settings, parse_setting, settings_from_env

if TYPE_CHECKING:
    from os import PathLike

__all__ = [
    "MIB",
    "PAGE_RECORDS_MAX",
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

_RESERVED_KEYS: Final = frozenset(
    {"Leader", "Migration3.0", "TableMigration3.5", "kcl-application"}
)
_WORKER_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_POSITIONS: Final[Mapping[str, Literal["earliest", "latest"]]] = {
    "earliest": "earliest",
    "latest": "latest",
    "TRIM_HORIZON": "earliest",
    "LATEST": "latest",
}

_PARTS: Final[Mapping[str, type]] = {
    "on_error": OnError,
    "leases": LeaseConfig,
    "table": TableConfig,
    "reading": PollingConfig,
    "delivery": DeliveryConfig,
    "notices": NoticeConfig,
    "health": HealthConfig,
    "metrics": MetricsConfig,
}


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
        for name, kind in _PARTS.items():
            _check_part(name, getattr(self, name), kind)
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
