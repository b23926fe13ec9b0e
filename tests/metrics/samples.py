"""A status in which no number is zero."""

from __future__ import annotations

from kcl_py.core.tallies import TimeTally
from kcl_py.status import ShardStatus, ShardWork, Timing, WorkerStatus


def timing(*seconds: float, failed: int = 1, throttled: int = 1) -> Timing:
    tally = TimeTally(failed=failed, throttled=throttled)
    for each in seconds:
        tally.add(each)
    return tally.value()


def shard(key: str, behind: float) -> ShardStatus:
    return ShardStatus(
        lease_key=key,
        shard_id=key,
        state="paused",
        fencing_token=7,
        delivered=None,
        finished=None,
        checkpointed=None,
        lag=1.5,
        attempt=1,
        last_error=None,
        fence_in=6.25,
        problem="paused",
        read_age=2.0,
        behind=behind,
    )


def work(times: int = 1) -> ShardWork:
    return ShardWork(
        reads=times,
        records_read=3 * times,
        bytes_read=400 * times,
        read_failures=2 * times,
        read_throttles=times,
        iterators_expired=times,
        batches=times,
        records=3 * times,
        bytes=300 * times,
        failures=times,
        retries=times,
        processing=timing(*([0.02, 7.0] * times)),
    )


STATUS = WorkerStatus(
    worker_id="host-1-abc",
    state="running",
    healthy=False,
    shards={"shardId-0": shard("shardId-0", 1.5), "shardId-1": shard("shardId-1", 95.0)},
    peers=("host-2-def",),
    dynamodb_read_units=1.5,
    dynamodb_write_units=2.0,
    at=100.0,
    work={"shardId-0": work(), "shardId-1": work(2), "shardId-9": work()},
    events={
        "lease.taken": 3,
        "lease.given": 2,
        "lease.given:transfer": 1,
        "lease.lost": 1,
        "handoff.denied": 1,
    },
    calls={kind: timing(0.004, 0.3) for kind in ("LeaseWrite", "Scan", "GetRecords")},
    call_waits={"GetRecords": 0.1},
    buffered_bytes=4096,
    cpu_used=0.75,
)
