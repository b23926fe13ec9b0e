"""Is exactly that called dead which a new process would mend?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kcl_py.health.verdict import ANSWER_SECONDS_MAX, judge
from kcl_py.status import ShardStatus, Timing, WorkerState, WorkerStatus, idle_status

NOW = 1000.0
SHARD = ShardStatus(
    lease_key="shardId-0",
    shard_id="shardId-0",
    state="processing",
    fencing_token=7,
    delivered=None,
    finished=None,
    checkpointed=None,
    lag=0.0,
    attempt=1,
    last_error=None,
    fence_in=6.0,
)


def status(
    state: WorkerState = "running", /, *, at: float | None = NOW, **of_shard: Any
) -> WorkerStatus:
    shard = replace(SHARD, **of_shard)
    return replace(idle_status("w-1", state), at=at, shards={shard.lease_key: shard})


@pytest.mark.parametrize(
    "of_shard",
    [
        {"lag": 86_400.0, "read_age": 3600.0},
        {"state": "paused", "problem": "paused: ValueError"},
        {"state": "retrying", "attempt": 100, "problem": "failed 100 times"},
        {"last_error": "kinesis:GetRecords: throttled", "problem": "kinesis:GetRecords: denied"},
        {"fence_in": 0.0},
    ],
)
def test_a_worker_that_gets_nowhere_is_alive_and_ready(of_shard: dict[str, Any]) -> None:
    verdict = judge(replace(status(**of_shard), healthy=False), NOW, NOW)

    assert verdict.alive
    assert verdict.ready
    paused = ", 1 of them paused" if of_shard.get("state") == "paused" else ""
    assert verdict.why == f"running, 1 shard{paused}"


@pytest.mark.parametrize(
    ("state", "ready"),
    [
        ("new", False),
        ("starting", False),
        ("running", True),
        ("draining", False),
        ("stopped", False),
    ],
)
def test_only_a_running_worker_is_ready_and_all_of_these_are_alive(
    state: WorkerState, *, ready: bool
) -> None:
    verdict = judge(status(state), NOW, NOW)

    assert (verdict.alive, verdict.ready) == (True, ready)


def test_a_failed_worker_is_dead() -> None:
    assert judge(status("failed"), NOW, NOW).why == "the worker has failed"
    assert not judge(status("failed"), NOW, NOW).alive


def test_user_code_that_hangs_is_named_whatever_became_of_its_lease() -> None:
    verdict = judge(status(state="draining", hung=True), NOW, NOW)

    assert not verdict.alive
    assert not verdict.ready
    assert verdict.why == "user code hangs in shardId-0"


@pytest.mark.parametrize("state", ["starting", "running", "draining"])
def test_a_silent_control_thread_is_dead_after_a_while_and_not_before(state: WorkerState) -> None:
    silent = status(state, at=NOW - ANSWER_SECONDS_MAX)

    assert judge(silent, NOW, NOW).alive
    assert judge(silent, NOW, NOW + 0.1).why == "the control thread has not answered for 15 s"
    assert not judge(silent, NOW, NOW + 0.1).alive


def test_a_lease_write_that_never_comes_back_is_dead_and_one_that_fails_is_not() -> None:
    lost = replace(status(), call_waits={"LeaseWrite": 31.0, "GetRecords": 1.0})
    slow = replace(status(), call_waits={"LeaseWrite": 30.0, "GetRecords": 600.0})
    failing = replace(status(), calls={"LeaseWrite": Timing(failed=100)})

    assert judge(lost, NOW, NOW).why == "a lease write has not come back for 31 s"
    assert judge(slow, NOW, NOW).alive
    assert judge(failing, NOW, NOW).alive


def test_set_up_may_take_its_time() -> None:
    assert judge(status("starting", at=None), NOW, NOW).alive


def test_a_heart_that_looks_no_more_is_not_taken_for_a_healthy_one() -> None:
    verdict = judge(status("starting", at=None), NOW, NOW + ANSWER_SECONDS_MAX + 1)

    assert not verdict.alive
    assert verdict.why == "nobody has looked at the worker for 16 s"
