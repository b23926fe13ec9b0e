"""How does this model of Kinesis behave, where the real one leaves room?"""

from __future__ import annotations

from dataclasses import dataclass

ACCOUNT = "000000000000"
REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class KinesisSettings:
    """Durations and limits of the modelled service.

    Attributes:
        limits: Enforce what the service enforces per second: writes and reads of a shard, and
            the calls that change or list streams. Limits on the size of a request always hold.
        create_seconds: How long a new stream stays CREATING.
        update_seconds: How long a stream stays UPDATING, for each step of a change.
        delete_seconds: How long a deleted stream stays DELETING.
        iterator_seconds: Life of a shard iterator. Source: GetShardIterator, 5 minutes.
        token_seconds: Life of a ListShards token. Source: ListShards, 300 seconds.
        shards_max: Open shards of the account. Source: quotas, us-east-1.
        on_demand_streams_max: Streams in the mode ON_DEMAND. Source: quotas.
        subscription_seconds: Life of a subscription. Source: SubscribeToShard, 5 minutes.
        heartbeat_seconds: A quiet subscription gets an empty event so often.
        takeover_seconds: So long after a subscription the same consumer cannot subscribe to the
            same shard; later it takes over. Source: SubscribeToShard, 5 seconds.
        empty_page_probability: How often GetRecords answers an empty page although there are
            records; the real service does so at will.
    """

    limits: bool = True
    create_seconds: float = 0.05
    update_seconds: float = 0.05
    delete_seconds: float = 0.05
    iterator_seconds: float = 300.0
    token_seconds: float = 300.0
    shards_max: int = 20_000
    on_demand_streams_max: int = 50
    subscription_seconds: float = 300.0
    heartbeat_seconds: float = 5.0
    takeover_seconds: float = 5.0
    empty_page_probability: float = 0.0
