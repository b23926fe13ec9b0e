"""How are streams turned into plain data and back?"""

from __future__ import annotations

from typing import Any

from kcl_py.local.kinesis.account import Account
from kcl_py.local.kinesis.consumers import Consumer
from kcl_py.local.kinesis.shards import Shard
from kcl_py.local.kinesis.streams import Stream


def dump_account(account: Account) -> dict[str, Any]:
    """Every stream that is not being deleted; pending changes are finished first."""
    for stream in account.streams.values():
        stream.finish()
    return {
        "streams": [
            {
                "name": stream.name,
                "made_at": stream.made_at,
                "retention_hours": stream.retention_hours,
                "mode": stream.mode,
                "metrics": stream.metrics,
                "encryption_key": stream.encryption_key,
                "record_kib_max": stream.record_kib_max,
                "tags": stream.tags,
                "consumers": [
                    consumer.dump()
                    for consumer in stream.consumers.values()
                    if consumer.status != "DELETING"
                ],
                "next_index": stream.next_index,
                "shards": [shard.dump() for shard in stream.shards.values()],
            }
            for stream in account.streams.values()
            if stream.status != "DELETED"
        ]
    }


def load_account(account: Account, saved: dict[str, Any]) -> None:
    """Replace all streams by the saved ones."""
    account.streams.clear()
    for row in saved["streams"]:
        stream = Stream(row["name"], 1, row["made_at"], row["made_at"])
        stream.retention_hours = row["retention_hours"]
        # What earlier versions did not save keeps its default.
        stream.mode = row.get("mode", stream.mode)
        stream.metrics = tuple(row.get("metrics", ()))
        stream.encryption_key = row.get("encryption_key")
        stream.record_kib_max = row.get("record_kib_max", stream.record_kib_max)
        stream.tags = dict(row["tags"])
        for saved_consumer in row.get("consumers", ()):
            consumer = Consumer.load(stream.arn, saved_consumer)
            stream.consumers[consumer.name] = consumer
        stream.restore([Shard.load(shard) for shard in row["shards"]], row["next_index"])
        account.streams[stream.name] = stream
