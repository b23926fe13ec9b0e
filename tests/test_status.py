"""Is a worker's status ready for JSON?"""

from __future__ import annotations

import json
import math
import pickle

from kcl_py.records import Position
from kcl_py.status import ShardStatus, WorkerStatus

SHARD = ShardStatus(
    lease_key="shardId-000000000000",
    shard_id="shardId-000000000000",
    state="processing",
    fencing_token=7,
    delivered=Position("9", 1),
    finished=Position("9"),
    checkpointed=None,
    lag=0.5,
    attempt=1,
    last_error=None,
    fence_in=math.inf,
)
STATUS = WorkerStatus(
    worker_id="host-1-abc",
    state="running",
    healthy=True,
    shards={SHARD.lease_key: SHARD},
    peers=("host-2-def",),
    dynamodb_read_units=1.5,
    dynamodb_write_units=2.0,
)


def test_a_status_becomes_json() -> None:
    made = json.loads(json.dumps(STATUS.to_dict(), allow_nan=False))

    shard = made["shards"]["shardId-000000000000"]
    assert made["state"] == "running"
    assert made["peers"] == ["host-2-def"]
    assert shard["delivered"] == "9/1"
    assert shard["checkpointed"] is None
    assert shard["fence_in"] is None


def test_a_status_pickles() -> None:
    assert pickle.loads(pickle.dumps(STATUS)) == STATUS
