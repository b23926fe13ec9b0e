"""Which part of the hash keys does nobody look after?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.core.shards.graph import Shard

HASH_KEY_MAX = 2**128 - 1
"""Highest hash key. Source: HashKeyRange of the Kinesis API; MD5 of the partition key."""


def gaps(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return the inclusive ranges of hash keys that none of these inclusive ranges contains."""
    missing: list[tuple[int, int]] = []
    free_from = 0
    for low, high in sorted(ranges):
        if low > free_from:
            missing.append((free_from, low - 1))
        free_from = max(free_from, high + 1)
    if free_from <= HASH_KEY_MAX:
        missing.append((free_from, HASH_KEY_MAX))
    return tuple(missing)


def uncovered(rows: Iterable[LeaseRow], shards: Mapping[str, Shard]) -> tuple[tuple[int, int], ...]:
    """Return the ranges of hash keys that no unfinished lease covers.

    A shard whose row is still to come is covered by the unfinished ancestor that will bring it;
    that parents and children overlap is normal. A row that does not tell its range has that of the
    listing; if it is not listed either, it covers nothing.
    """
    covered = []
    for row in rows:
        shard = shards.get(row.key)
        span = row.hash_range or (shard.hash_range if shard is not None else None)
        if span is not None and not row.is_finished:
            covered.append(span)
    return gaps(covered)
