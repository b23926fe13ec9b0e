"""How does a stream get from one number of shards to another?

UpdateShardCount makes shards of equal size by splits and merges. First every shard is split at the
borders of the target that lie inside it, then the pieces of each target shard are merged. A shard
is split in two and merged with one neighbour at a time, so this takes several levels, with
short-lived shards between; the service says the same of its own way, without the details. Each
level takes `KinesisSettings.update_seconds`, and the stream is UPDATING until the last is done.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from kcl_py.local.errors import AwsError, invalid
from kcl_py.local.kinesis.account import Account, Answer, Request
from kcl_py.local.kinesis.changes import count_change, start_change
from kcl_py.local.kinesis.streams import HASH_KEYS, Reshard, Stream
from kcl_py.local.parameters import required_text, required_whole

# Source: UpdateShardCount.
_STREAM_SHARDS_MAX = 10_000
_PER_DAY = "UpdateShardCount"

Keys = tuple[int, int]


class Step(NamedTuple):
    """Shards that close, and the ranges of hash keys that open in their place."""

    closes: tuple[Keys, ...]
    opens: tuple[Keys, ...]


def update_shard_count(account: Account, request: Request) -> Answer:
    """UpdateShardCount, uniform scaling."""
    target = required_whole(request, "TargetShardCount", 1, 1_000_000)
    kind = required_text(request, "ScalingType")
    if kind != "UNIFORM_SCALING":
        raise invalid(f"there is no ScalingType {kind}")
    stream = account.scalable(request)
    current = len(stream.open_shards)
    _check_target(current, target)
    borders = even_borders(target)
    account.check_shards(_pieces(_ranges(stream), borders) - current)
    count_change(account, stream, _PER_DAY)
    start_change(account, stream, lambda at: _go_on(account, stream, borders, at))
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "CurrentShardCount": current,
        "TargetShardCount": target,
    }


def even_borders(count: int) -> list[int]:
    """Where so many equal shards begin, and the end of all."""
    return [HASH_KEYS * number // count for number in range(count + 1)]


def next_level(ranges: Sequence[Keys], borders: Sequence[int]) -> list[Step]:
    """What is done at once on the way from `ranges` to shards with these borders.

    Args:
        ranges: Of the open shards, by hash key; together they are all hash keys.
        borders: Where the shards of the target begin, and the end of all.
    """
    return _splits(ranges, borders) or _merges(ranges, borders)


def _splits(ranges: Sequence[Keys], borders: Sequence[int]) -> list[Step]:
    steps = []
    for first, last in ranges:
        inside = borders[bisect_right(borders, first) : bisect_right(borders, last)]
        if inside:
            border = inside[len(inside) // 2]
            steps.append(Step(((first, last),), ((first, border - 1), (border, last))))
    return steps


def _merges(ranges: Sequence[Keys], borders: Sequence[int]) -> list[Step]:
    """Pairs of neighbours, when no shard crosses a border any more."""
    starts = [first for first, _ in ranges]
    steps = []
    for begin, behind in pairwise(borders):
        pieces = ranges[bisect_left(starts, begin) : bisect_left(starts, behind)]
        for left, right in zip(pieces[::2], pieces[1::2], strict=False):
            steps.append(Step((left, right), ((left[0], right[1]),)))
    return steps


def _go_on(account: Account, stream: Stream, borders: list[int], now: float) -> None:
    """Do one level; come back for the next, until the target is reached."""
    by_range = {(shard.first_key, shard.last_key): shard for shard in stream.open_shards}
    level = next_level(list(by_range), borders)
    stream.reshard(
        [Reshard([by_range[keys] for keys in step.closes], list(step.opens)) for step in level],
        now,
    )
    if next_level(_ranges(stream), borders):
        stream.status = "UPDATING"
        due = now + account.settings.update_seconds
        stream.after(due, lambda at: _go_on(account, stream, borders, at))


def _ranges(stream: Stream) -> list[Keys]:
    return [(shard.first_key, shard.last_key) for shard in stream.open_shards]


def _pieces(ranges: Sequence[Keys], borders: Sequence[int]) -> int:
    """How many shards are open when all splits are done: the most there will be."""
    return len({first for first, _ in ranges} | set(borders[:-1]))


def _check_target(current: int, target: int) -> None:
    if target > 2 * current:
        raise _too_far(f"{target} is more than double the {current} shards there are")
    if 2 * target < current:
        raise _too_far(f"{target} is less than half of the {current} shards there are")
    if target > _STREAM_SHARDS_MAX:
        raise _too_far(f"a stream has at most {_STREAM_SHARDS_MAX} shards")


def _too_far(message: str) -> AwsError:
    return AwsError("LimitExceededException", message)
