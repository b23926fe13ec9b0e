"""Where in a shard does a reader begin? The same five types for iterators and subscriptions."""

from __future__ import annotations

from typing import NamedTuple

from kcl_py.local.errors import AwsError, invalid
from kcl_py.local.kinesis.shards import Shard
from kcl_py.local.parameters import decimal_number


class Place(NamedTuple):
    """What a request says about where to begin."""

    kind: str
    number: str | None
    when: float | None


def position_of(shard: Shard, place: Place, now: float) -> int:
    """The position in the shard."""
    _refuse_surplus(place)
    match place.kind:
        case "TRIM_HORIZON":
            return shard.oldest
        case "LATEST":
            return shard.tip
        case "AT_TIMESTAMP":
            return _at_time(shard, place.when, now)
        case "AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER":
            return _at_number(shard, place.number, after=place.kind.startswith("AFTER"))
    raise invalid(f"there is no type of position {place.kind}")


def _refuse_surplus(place: Place) -> None:
    if place.number is not None and not place.kind.endswith("SEQUENCE_NUMBER"):
        raise AwsError("InvalidArgumentException", f"{place.kind} takes no sequence number")
    if place.when is not None and place.kind != "AT_TIMESTAMP":
        raise AwsError("InvalidArgumentException", f"{place.kind} takes no Timestamp")


def _at_time(shard: Shard, when: float | None, now: float) -> int:
    if when is None:
        raise AwsError("InvalidArgumentException", "AT_TIMESTAMP needs a Timestamp")
    if when > now:
        raise AwsError("InvalidArgumentException", "Timestamp must not be in the future")
    return shard.at_time(when)


def _at_number(shard: Shard, number: str | None, *, after: bool) -> int:
    if number is None:
        raise AwsError("InvalidArgumentException", "a sequence number is needed")
    position = shard.at_number(decimal_number(number, "a sequence number"), after=after)
    if position is None:
        raise AwsError(
            "InvalidArgumentException", f"sequence number {number} is none of {shard.shard_id}"
        )
    return position
