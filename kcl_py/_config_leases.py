"""Which settings say how a worker competes for shards, and where its leases are kept?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, final

from kcl_py._config_checks import check_count, check_number
from kcl_py.errors import ConfigError

DURATION_SECONDS_MIN: Final = 3.0
DURATION_SECONDS_MAX: Final = 300.0
FENCE_MARGIN_SECONDS_MIN: Final = 0.5
_TABLE_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}")  # Source: CreateTable, TableName.


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
        check_number(
            "leases.duration",
            self.duration,
            low=DURATION_SECONDS_MIN,
            high=DURATION_SECONDS_MAX,
            hint="the default is 10; the unit is seconds",
        )
        check_number("leases.fence_margin", self.fence_margin, low=FENCE_MARGIN_SECONDS_MIN)
        two_thirds = 2 * self.duration / 3
        if self.fence_margin >= two_thirds:
            raise ConfigError(
                f"leases.fence_margin = {self.fence_margin} must be below {two_thirds:g}, two "
                "thirds of leases.duration, or a renewal has no time; lower it, or raise that"
            )
        if self.max_leases is not None:
            check_count("leases.max_leases", self.max_leases, low=1, hint="None is no limit")
        check_number("leases.handoff_timeout", self.handoff_timeout, above=0.0)
        check_number("leases.settle", self.settle, low=0.0)
        if self.scan_interval is not None:
            check_number(
                "leases.scan_interval",
                self.scan_interval,
                above=0.0,
                high=two_thirds,
                hint="two thirds of leases.duration, to time an expiry; None adapts to the fleet",
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
