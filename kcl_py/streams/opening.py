"""Which shards does a reading begin with, and where in each? Asked of the service once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from kcl_py.core.events import Failure
from kcl_py.core.shards.graph import Shard
from kcl_py.errors import ConfigError
from kcl_py.streams.frontier import chosen_shards
from kcl_py.streams.start import Beginning, Entries, ReadFrom, beginning_of, entries_of, time_of
from kcl_py.streams.troubles import error_of, some_of, unknown_shard

_T = TypeVar("_T")

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kcl_py.aws.stream import ShardsSeen


class Listing(Protocol):
    """What is asked of the service."""

    def list_shards(self, *, since: float | None = None) -> ShardsSeen | Failure:
        """All shards, or those that took records at or after a time."""

    def tip(self, shard_id: str) -> str | Failure:
        """An iterator behind the newest record."""


Gather = Callable[[Callable[[str], "str | Failure"], Iterable[str]], Iterable["str | Failure"]]
"""`map`, or one that does several at a time."""


@dataclass(frozen=True, slots=True)
class Opened:
    """With what a reading begins.

    Attributes:
        shards: Those that take part.
        ignored: Ids of those that are listed and take no part.
        entries: Where to begin in them.
    """

    shards: tuple[Shard, ...]
    ignored: frozenset[str]
    entries: Entries


def open_reading(
    source: Listing,
    start: ReadFrom,
    shard_ids: Sequence[str] | None,
    *,
    opens: bool,
    wall: Callable[[], float],
    gather: Gather,
) -> Opened:
    """Find out where to begin.

    Args:
        source: The service.
        start: Where to begin in shards that are there now; later ones are read from their start.
        shard_ids: Only these, and what descends from them.
        opens: Aggregated records are opened.
        wall: Unix seconds, for a service that does not say what time it is.
        gather: Asks for the ends of many shards.

    Raises:
        KclError: There is no such stream, shard or place, or the service cannot be asked.
    """
    beginning = beginning_of(start)
    seen = _checked(source.list_shards())
    listed = {shard.shard_id: shard for shard in seen.shards}
    _check_named(shard_ids, listed)
    single = _single(beginning, shard_ids, listed)
    time = time_of(beginning, wall() if seen.server_time is None else seen.server_time)
    iterators: dict[str, str] = {}
    recent: frozenset[str] | None = None
    if beginning.kind == "latest":
        chosen = chosen_shards(listed, lambda shard: shard.is_open, shard_ids)
        names = [shard.shard_id for shard in chosen]
        iterators = dict(zip(names, map(_checked, gather(source.tip, names)), strict=True))
    else:
        if time is not None:
            late = _checked(source.list_shards(since=time))
            recent = frozenset(shard.shard_id for shard in late.shards)
        chosen = chosen_shards(
            listed, lambda shard: recent is None or shard.shard_id in recent, shard_ids
        )
    within = {shard.shard_id for shard in chosen}
    entries = entries_of(beginning, time, iterators, single=single, opens=opens)
    return Opened(chosen, frozenset(listed.keys() - within), entries)


def _checked(answer: _T | Failure) -> _T:
    if isinstance(answer, Failure):
        raise error_of(answer)
    return answer


def _check_named(shard_ids: Sequence[str] | None, listed: Mapping[str, Shard]) -> None:
    if shard_ids is None:
        return
    if isinstance(shard_ids, str) or not shard_ids:
        raise ConfigError("shard_ids must be a list of shard ids, or None for all shards")
    for shard_id in shard_ids:
        if shard_id not in listed:
            raise unknown_shard(shard_id, listed)


def _single(
    beginning: Beginning, shard_ids: Sequence[str] | None, listed: Mapping[str, Shard]
) -> str | None:
    """The shard that a position is in."""
    if not beginning.is_position:
        return None
    names = list(listed if shard_ids is None else dict.fromkeys(shard_ids))
    if len(names) != 1:
        raise ConfigError(
            "a sequence number is a place in one shard; name that shard alone, "
            f"which is one of {some_of(names)}"
        )
    return names[0]
