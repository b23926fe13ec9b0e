"""Make a stream, make room in it, and look at what is in it; no leases, no checkpoints."""

from __future__ import annotations

from collections import Counter

import boto3.session
from kcl_py.streams import Reader, Stream, ensure_stream


def prepare(session: boto3.session.Session) -> Stream:
    return ensure_stream("orders", shards=2, tags={"team": "data"}, session=session)


def make_room(stream: Stream, key: str) -> str:
    """Split the shard that takes this key; the half that takes it from now on."""
    lower, upper = stream.split(stream.shard_for_key(key).shard_id)
    print("now", lower.shard_id, "and", upper.shard_id)
    return stream.shard_for_key(key).shard_id


def count(stream: Stream) -> Counter[str]:
    """Records by shard: all that are there now."""
    with Reader(stream, start="earliest", until_caught_up=True) as reader:
        return Counter(each.shard_id for each in reader)


async def first_of(stream: Stream, customer: str) -> object:
    """The first order of a customer from five minutes ago on, waited for if need be."""
    async with Reader(stream, start="-5m") as reader:
        async for each in reader:
            order = each.record.json()
            if order["customer"] == customer:
                return order
    return None  # closed by another thread
