"""What must be asked of the service so that a stream becomes what was ordered? And may it be?

Every plan is made of how things stand. Made again after an answer got lost, it says that there is
nothing left to do, or does it once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from kcl_py._words import counted
from kcl_py.core.shards.graph import Lineage, Shard
from kcl_py.errors import ConfigError
from kcl_py.streams.descriptions import MODE_NAMES, StreamDescription, StreamMode
from kcl_py.streams.troubles import some_of, unknown_shard

RETENTION_HOURS_MIN: Final = 24
RETENTION_HOURS_MAX: Final = 8760
"""Source: IncreaseStreamRetentionPeriod."""

METRICS: Final = (
    "IncomingBytes",
    "IncomingRecords",
    "IteratorAgeMilliseconds",
    "OutgoingBytes",
    "OutgoingRecords",
    "ReadProvisionedThroughputExceeded",
    "WriteProvisionedThroughputExceeded",
)
"""Source: EnableEnhancedMonitoring, ShardLevelMetrics."""

TAGS_PER_CALL_MAX: Final = 50
"""Source: RemoveTagsFromStream, TagKeys."""

SCALE_FACTOR_MAX: Final = 2
"""Source: UpdateShardCount: at most to double, at least to half."""


@dataclass(frozen=True, slots=True)
class Order:
    """One call.

    Attributes:
        operation: Its name.
        parameters: Besides the stream.
    """

    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reshard:
    """A split or a merge.

    Attributes:
        order: None: it is done.
        parents: What is closed by it.
        ranges: Of the shards that it makes.
    """

    order: Order | None
    parents: Sequence[Shard]
    ranges: Sequence[tuple[int, int]]

    def children(self, lineage: Lineage) -> tuple[Shard, ...] | None:
        """The shards that it made, in the order of `ranges`; None: not yet."""
        named = {shard.shard_id for shard in self.parents}
        found = {
            child.hash_range: child
            for child in lineage.children_of(self.parents[0].shard_id)
            if set(child.parents) == named
        }
        if not all(keys in found for keys in self.ranges):
            return None
        return tuple(found[keys] for keys in self.ranges)


# --------------------------------------------------------------------------------- split and merge


def plan_split(
    lineage: Lineage, shard_id: str, at: float | None, *, again: bool = False
) -> Reshard:
    """Split a shard.

    Args:
        lineage: The shards as they are.
        shard_id: Which one.
        at: Fraction (float) or hash key (int) at which the upper one begins; None: the middle.
        again: It was asked for, and may have been done.

    Raises:
        ConfigError: It is closed, too narrow, or not there; or `at` is outside of it.
    """
    shard = _listed(lineage, shard_id)
    low, high = shard.hash_range
    border = border_of(shard, at)
    ranges = ((low, border - 1), (border, high))
    order = Order("SplitShard", {"ShardToSplit": shard_id, "NewStartingHashKey": str(border)})
    return _unless_done(Reshard(order, (shard,), ranges), lineage, again=again)


def border_of(shard: Shard, at: float | None) -> int:
    """The hash key at which the upper of two children begins.

    Raises:
        ConfigError: No shard can begin there.
    """
    low, high = shard.hash_range
    if isinstance(at, float) and not 0.0 < at < 1.0:
        raise ConfigError(f"at = {at!r} is not allowed; use a fraction between 0 and 1 (float)")
    if at is None:
        border = (low + high + 1) // 2
    elif isinstance(at, float):
        border = low + int((high - low + 1) * Fraction(at))
    else:
        border = at
    # One more than needed for a shard that is not empty. Source: the answers of SplitShard.
    if not low + 1 < border < high:
        raise ConfigError(
            f"{shard.shard_id} cannot be split at hash key {border}; it has {low} to {high}, and "
            "each side needs two of them"
        )
    return border


def plan_merge(
    lineage: Lineage, shard_id: str, adjacent_id: str, *, again: bool = False
) -> Reshard:
    """Merge two neighbours.

    Args:
        lineage: The shards as they are.
        shard_id: One.
        adjacent_id: The other.
        again: It was asked for, and may have been done.

    Raises:
        ConfigError: One is closed or not there, or they are no neighbours; tells who is.
    """
    one, other = _listed(lineage, shard_id), _listed(lineage, adjacent_id)
    keys = (
        min(one.hash_range[0], other.hash_range[0]),
        max(one.hash_range[1], other.hash_range[1]),
    )
    order = Order("MergeShards", {"ShardToMerge": shard_id, "AdjacentShardToMerge": adjacent_id})
    plan = _unless_done(Reshard(order, (one, other), (keys,)), lineage, again=again)
    if plan.order is not None and not _touch(one, other):
        mine, theirs = neighbours_of(lineage, one), neighbours_of(lineage, other)
        raise ConfigError(
            f"{shard_id} and {adjacent_id} are not adjacent; {shard_id} can be merged with "
            f"{some_of(mine) or 'none'}, {adjacent_id} with {some_of(theirs) or 'none'}"
        )
    return plan


def neighbours_of(lineage: Lineage, shard: Shard) -> list[str]:
    """Ids of the open shards that a shard can be merged with."""
    return [other.shard_id for other in lineage.open_shards() if _touch(shard, other)]


def _touch(one: Shard, other: Shard) -> bool:
    lower, upper = sorted((one.hash_range, other.hash_range))
    return lower[1] + 1 == upper[0]


def _listed(lineage: Lineage, shard_id: str) -> Shard:
    shard = lineage.shards.get(shard_id)
    if shard is None:
        raise unknown_shard(shard_id, lineage.shards)
    return shard


def _unless_done(plan: Reshard, lineage: Lineage, *, again: bool) -> Reshard:
    if again and plan.children(lineage) is not None:
        return Reshard(None, plan.parents, plan.ranges)
    for shard in plan.parents:
        if not shard.is_open:
            children = [child.shard_id for child in lineage.children_of(shard.shard_id)]
            instead = f"its children are {some_of(children)}" if children else "name an open one"
            raise ConfigError(
                f"{shard.shard_id} is closed: it was split or merged before; {instead}"
            )
    return plan


# ----------------------------------------------------------------------------------- all the rest


def plan_scale(now: StreamDescription, shards: int) -> Order | None:
    """Bring the number of open shards to this.

    Raises:
        ConfigError: Not a number that the service goes to in one step; names one that is.
    """
    if isinstance(shards, bool) or shards < 1:
        raise ConfigError(f"shards = {shards!r} is not allowed; use 1 or more")
    if now.mode == "on_demand":
        raise ConfigError(f"the stream {now.name} is on-demand and scales by itself")
    count = now.open_shard_count
    if shards == count:
        return None
    most, least = count * SCALE_FACTOR_MAX, -(-count // SCALE_FACTOR_MAX)
    if not least <= shards <= most:
        step = most if shards > most else least
        raise ConfigError(
            f"the stream {now.name} has {counted(count, 'shard')}; one step goes to {least} at "
            f"least and {most} at most, so go to {step} first"
        )
    return Order("UpdateShardCount", {"TargetShardCount": shards, "ScalingType": "UNIFORM_SCALING"})


def plan_mode(now: StreamDescription, mode: StreamMode) -> Order | None:
    """Change between provisioned and on-demand."""
    name = MODE_NAMES.get(mode)
    if name is None:
        raise ConfigError(f"mode = {mode!r} is unknown; use 'provisioned' or 'on_demand'")
    if now.mode == mode:
        return None
    # This call knows a stream by its ARN alone.
    details = {"StreamMode": name}
    return Order("UpdateStreamMode", {"StreamARN": now.arn, "StreamModeDetails": details})


def plan_retention(now: StreamDescription, hours: int) -> Order | None:
    """Keep records for so many hours."""
    if isinstance(hours, bool) or not RETENTION_HOURS_MIN <= hours <= RETENTION_HOURS_MAX:
        raise ConfigError(
            f"retention of {hours!r} hours is not allowed; use {RETENTION_HOURS_MIN} to "
            f"{RETENTION_HOURS_MAX} (365 days)"
        )
    if hours == now.retention_hours:
        return None
    which = "Increase" if hours > now.retention_hours else "Decrease"
    return Order(f"{which}StreamRetentionPeriod", {"RetentionPeriodHours": hours})


def plan_metrics(now: StreamDescription, metrics: Iterable[str]) -> list[Order]:
    """Keep these metrics for each shard, and no others."""
    wanted = _known_metrics(metrics)
    there = set(METRICS) if "ALL" in now.enhanced_metrics else set(now.enhanced_metrics)
    orders = (
        ("DisableEnhancedMonitoring", there - wanted),
        ("EnableEnhancedMonitoring", wanted - there),
    )
    return [Order(name, {"ShardLevelMetrics": sorted(which)}) for name, which in orders if which]


def _known_metrics(metrics: Iterable[str]) -> set[str]:
    if isinstance(metrics, str):
        raise ConfigError("metrics must be a list of names")
    wanted = set(metrics)
    unknown = sorted(wanted - {*METRICS, "ALL"})
    if unknown:
        raise ConfigError(f"there is no metric {unknown[0]!r}; there are ALL, {', '.join(METRICS)}")
    return set(METRICS) if "ALL" in wanted else wanted


def plan_encryption(now: StreamDescription, kms_key: str | None) -> Order | None:
    """Encrypt with this key from now on, or not at all."""
    if kms_key == now.encryption_key:
        return None
    if kms_key == "":
        raise ConfigError("kms_key = '' is no key; use None to store without encryption")
    operation = "StartStreamEncryption" if kms_key else "StopStreamEncryption"
    return Order(operation, {"EncryptionType": "KMS", "KeyId": kms_key or now.encryption_key})


def plan_tags(tags: Mapping[str, str | None]) -> list[Order]:
    """Set these tags; None removes one. Others stay."""
    gone = [key for key, value in tags.items() if value is None]
    kept = [(key, value) for key, value in tags.items() if value is not None]
    size = TAGS_PER_CALL_MAX
    removed = [gone[at : at + size] for at in range(0, len(gone), size)]
    added = [dict(kept[at : at + size]) for at in range(0, len(kept), size)]
    return [
        *(Order("RemoveTagsFromStream", {"TagKeys": keys}) for keys in removed),
        *(Order("AddTagsToStream", {"Tags": part}) for part in added),
    ]
