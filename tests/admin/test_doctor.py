"""What does a check-up make of what was seen? Laws, and what an engine cannot show."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.admin.doctor import ClockSeen, Evidence, Finding, Level, Right, ShardCount, examine
from kcl_py.admin.lag import FROM_OLDEST, Place, ShardLag
from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.leases.rows import LeaseRow, Sentinel
from kcl_py.errors import NoCredentials

ROOT = Path(__file__).resolve().parents[2]
STREAM = {"StreamName": "s", "StreamARN": "arn", "StreamStatus": "ACTIVE", "OpenShardCount": 1}
NOTHING = Evidence(app_name="a", table_name="a", stream_name="s", stream=STREAM)
HOUR = 3600.0


def lag(seconds: float | None, trouble: str | None = None) -> ShardLag:
    place = Place(shard_id="shard-1", stage="begun", checkpoint="1/0", start=FROM_OLDEST)
    return ShardLag(place=place, seconds=seconds, trouble=trouble)


def found(evidence: Evidence, check: str) -> list[Finding]:
    return [finding for finding in examine(evidence) if finding.check == check]


def test_without_credentials_nothing_else_is_said() -> None:
    stopped = replace(NOTHING, stopped_by=NoCredentials("no AWS credentials"))
    assert [finding.check for finding in examine(stopped)] == ["credentials"]


@given(st.floats(0, 200 * HOUR), st.integers(24, 168))
def test_a_lag_matters_by_its_share_of_the_retention(seconds: float, hours: int) -> None:
    evidence = replace(
        NOTHING, stream={**STREAM, "RetentionPeriodHours": hours}, lags=[lag(seconds)]
    )
    (finding,) = found(evidence, "retention")
    share = seconds / (hours * HOUR)
    expected = Level.PROBLEM if share >= 0.9 else Level.WARNING if share >= 0.5 else Level.OK
    assert finding.level is expected


def test_what_is_not_known_of_a_lag_is_not_called_fine() -> None:
    (finding,) = found(replace(NOTHING, lags=[lag(None, "denied")]), "lag")
    assert finding.level is Level.UNKNOWN
    (forgotten,) = found(replace(NOTHING, lags=[lag(5.0, "forgotten")]), "forgotten checkpoint")
    assert forgotten.level is Level.PROBLEM


@given(st.floats(-1000, 1000), st.floats(0.9, 1.1))
def test_clocks_are_judged_by_what_depends_on_them(skew: float, rate: float) -> None:
    evidence = replace(NOTHING, clock=ClockSeen(skew, rate))
    levels = {finding.level for finding in found(evidence, "clock")}
    rates = found(evidence, "clock rate")

    assert (Level.PROBLEM in levels) == (abs(skew) >= 300)
    assert bool(rates) == (abs(rate - 1) > 0.001)
    assert all(finding.level is Level.PROBLEM for finding in rates)


def test_a_clock_that_nobody_told_is_not_called_right() -> None:
    (finding,) = found(NOTHING, "clock")
    assert finding.level is Level.UNKNOWN


def test_a_stream_that_ignores_partition_keys_is_named() -> None:
    blind = replace(NOTHING, stream={**STREAM, "RecordDistributionStrategy": "AUTO"})
    (finding,) = found(blind, "partition keys")
    assert "USER_PARTITION_KEY" in finding.way_out
    assert not found(
        replace(NOTHING, stream={**STREAM, "RecordDistributionStrategy": "USER_PARTITION_KEY"}),
        "partition keys",
    )


@given(st.integers(0, 200), st.integers(1, 200))
def test_the_shard_limit_is_told_before_it_is_reached(used: int, allowed: int) -> None:
    evidence = replace(NOTHING, shard_count=ShardCount(used, allowed))
    assert bool(found(evidence, "shard limit")) == (used >= 0.9 * allowed)


@given(st.sampled_from(list(FailureKind)))
def test_rights_are_fine_only_if_every_call_was_answered(kind: FailureKind) -> None:
    right = Right("kinesis:GetRecords", Failure(kind, "kinesis:GetRecords", "no"))
    levels = {finding.level for finding in found(replace(NOTHING, rights=[right]), "rights")}
    if kind is FailureKind.DENIED:
        assert levels == {Level.PROBLEM}
    elif kind is FailureKind.UNKNOWN:
        assert levels == {Level.UNKNOWN}


def test_every_check_is_on_the_page() -> None:
    page = (ROOT / "docs" / "how-to" / "find-out-what-is-wrong.md").read_text(encoding="utf-8")
    told = {name for row in page.splitlines() for name in re.findall(r"`([a-zA-Z -]+)`", row)}
    sources = (ROOT / "kcl_py" / "admin" / "doctor").glob("*.py")
    checks = {
        name
        for path in sources
        for name in re.findall(
            r"\b(?:ok|warning|unknown|problem)\(\s*\"([^\"]+)\"", path.read_text(encoding="utf-8")
        )
    }
    assert len(checks) > 20
    assert checks <= told


def test_a_shard_that_somebody_paused_is_named_and_one_that_errors_paused_matters_more() -> None:
    row = LeaseRow(key="s1", counter=1, checkpoint=Sentinel.TRIM_HORIZON, owner="w", halted=True)
    failing = replace(row, key="s2", halted=False, paused=True)
    ended = replace(row, key="s3", checkpoint=Sentinel.SHARD_END)
    rows = {each.key: each for each in (row, failing, ended)}

    told = found(replace(NOTHING, rows=rows), "paused shards")

    assert [(each.level, "s3" in each.says) for each in told] == [
        (Level.PROBLEM, False),
        (Level.WARNING, False),
    ]
    assert "kcl leases resume s1 --app a" in told[1].way_out


def test_what_gc_never_deletes_is_not_sent_to_gc_at_once() -> None:
    row = LeaseRow(key="s1", counter=1, checkpoint=Sentinel.TRIM_HORIZON, owner="w")

    [told] = found(replace(NOTHING, rows={"s1": row}, shards=[]), "orphaned leases")

    assert "a worker finds out and ends them, then" in told.way_out
