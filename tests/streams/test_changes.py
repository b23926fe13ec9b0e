"""What is asked of the service, and what is refused before it is asked?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.core.shards.graph import Lineage, Shard
from kcl_py.errors import ConfigError
from kcl_py.streams import changes
from kcl_py.streams.changes import METRICS, Order
from kcl_py.streams.descriptions import StreamDescription

MAX = 2**128 - 1
NOW = StreamDescription(
    name="orders",
    arn="arn:aws:kinesis:us-east-1:000000000000:stream/orders",
    status="ACTIVE",
    mode="provisioned",
    retention_hours=24,
    record_bytes_max=1024**2,
    open_shard_count=4,
    encryption_key=None,
    enhanced_metrics=(),
    consumers=0,
)


def shard(name: str, low: int, high: int, *parents: str, is_open: bool = True) -> Shard:
    return Shard(shard_id=name, parents=parents, hash_range=(low, high), is_open=is_open)


LINEAGE = Lineage(
    [
        shard("a", 0, 99, is_open=False),
        shard("b", 0, 49, "a"),
        shard("c", 50, 99, "a"),
        shard("d", 100, 199),
        shard("e", 200, 299),
        shard("tiny", 300, 302),
    ]
)


@given(
    low=st.integers(0, MAX - 10),
    width=st.integers(4, 2**127),
    at=st.one_of(st.none(), st.floats(0, 1, exclude_min=True, exclude_max=True)),
)
def test_a_split_cuts_a_shard_in_two_without_gap(low: int, width: int, at: float | None) -> None:
    whole = shard("s", low, min(low + width, MAX))

    try:
        border = changes.border_of(whole, at)
    except ConfigError:
        assert at is not None  # Too near to an end.
        return

    assert whole.hash_range[0] + 1 < border < whole.hash_range[1]
    plan = changes.plan_split(Lineage([whole]), "s", at)
    (first, last), (begin, end) = plan.ranges
    assert (first, last + 1, end) == (low, begin, whole.hash_range[1])
    assert plan.order is not None
    assert plan.order.parameters["NewStartingHashKey"] == str(begin)
    if at is None:
        assert abs((last - first) - (end - begin)) <= 1


def test_a_fraction_and_a_hash_key_say_where() -> None:
    assert changes.border_of(shard("s", 0, 99), 0.25) == 25
    assert changes.border_of(shard("s", 100, 199), 0.25) == 125
    assert changes.border_of(shard("s", 100, 199), 130) == 130


@pytest.mark.parametrize("at", [0.0, 1.0, -0.5, 2.5, float("nan")])
def test_a_fraction_must_be_one(at: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        changes.plan_split(LINEAGE, "d", at)


@pytest.mark.parametrize("at", [0, 99, 100, 101, 199, 200])
def test_a_hash_key_outside_is_answered_with_the_range(at: int) -> None:
    with pytest.raises(ConfigError, match="it has 100 to 199"):
        changes.plan_split(LINEAGE, "d", at)


def test_what_is_too_narrow_is_not_split() -> None:
    with pytest.raises(ConfigError, match="each side needs two"):
        changes.plan_split(LINEAGE, "tiny", None)


def test_a_closed_shard_is_answered_with_its_children() -> None:
    with pytest.raises(ConfigError, match=r"a is closed.*its children are b, c"):
        changes.plan_split(LINEAGE, "a", None)
    with pytest.raises(ConfigError, match="a is closed"):
        changes.plan_merge(LINEAGE, "a", "d")


def test_what_was_done_although_its_answer_got_lost_is_not_done_twice() -> None:
    plan = changes.plan_split(LINEAGE, "a", None, again=True)

    assert plan.order is None
    children = plan.children(LINEAGE)
    assert children is not None
    assert [child.shard_id for child in children] == ["b", "c"]


def test_shards_that_are_not_adjacent_are_answered_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="c can be merged with b, d, e with d, tiny"):
        changes.plan_merge(LINEAGE, "c", "e")


@pytest.mark.parametrize(("one", "other"), [("c", "d"), ("d", "c")])
def test_neighbours_are_merged_in_any_order(one: str, other: str) -> None:
    plan = changes.plan_merge(LINEAGE, one, other)

    assert plan.ranges == ((50, 199),)
    assert plan.order == Order("MergeShards", {"ShardToMerge": one, "AdjacentShardToMerge": other})


def test_an_unknown_shard_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"there is no shard zzz.*there are a, b, c, d, e and 1"):
        changes.plan_split(LINEAGE, "zzz", None)


@pytest.mark.parametrize(("shards", "step"), [(1, 2), (9, 8), (100, 8)])
def test_scaling_goes_to_double_or_half_at_once(shards: int, step: int) -> None:
    with pytest.raises(ConfigError, match=f"go to {step} first"):
        changes.plan_scale(NOW, shards)


def test_scaling() -> None:
    assert changes.plan_scale(NOW, 4) is None
    order = changes.plan_scale(NOW, 8)
    assert order is not None
    assert order.parameters["TargetShardCount"] == 8
    with pytest.raises(ConfigError, match="1 or more"):
        changes.plan_scale(NOW, 0)
    with pytest.raises(ConfigError, match="scales by itself"):
        changes.plan_scale(replace(NOW, mode="on_demand"), 8)


def test_mode() -> None:
    assert changes.plan_mode(NOW, "provisioned") is None
    order = changes.plan_mode(NOW, "on_demand")
    assert order is not None
    assert order.parameters == {
        "StreamARN": NOW.arn,
        "StreamModeDetails": {"StreamMode": "ON_DEMAND"},
    }
    with pytest.raises(ConfigError, match="'on_demand'"):
        changes.plan_mode(NOW, "serverless")  # type: ignore[arg-type]  # the mistake


def test_retention() -> None:
    assert changes.plan_retention(NOW, 24) is None
    more = changes.plan_retention(NOW, 48)
    less = changes.plan_retention(replace(NOW, retention_hours=72), 48)
    assert more == Order("IncreaseStreamRetentionPeriod", {"RetentionPeriodHours": 48})
    assert less == Order("DecreaseStreamRetentionPeriod", {"RetentionPeriodHours": 48})
    for hours in (23, 8761):
        with pytest.raises(ConfigError, match="24 to 8760"):
            changes.plan_retention(NOW, hours)


@given(there=st.sets(st.sampled_from(METRICS)), wanted=st.sets(st.sampled_from([*METRICS, "ALL"])))
def test_metrics_become_those_that_are_wanted(there: set[str], wanted: set[str]) -> None:
    kept = set(there)

    for order in changes.plan_metrics(replace(NOW, enhanced_metrics=tuple(there)), wanted):
        which = set(order.parameters["ShardLevelMetrics"])
        assert which
        kept = kept | which if order.operation.startswith("Enable") else kept - which

    assert kept == (set(METRICS) if "ALL" in wanted else wanted)


def test_an_unknown_metric_is_answered_with_all() -> None:
    with pytest.raises(ConfigError, match="'Bytes'; there are ALL, IncomingBytes"):
        changes.plan_metrics(NOW, ["Bytes"])


def test_encryption() -> None:
    with_key = replace(NOW, encryption_key="alias/ours")

    assert changes.plan_encryption(NOW, None) is None
    assert changes.plan_encryption(with_key, "alias/ours") is None
    start = changes.plan_encryption(NOW, "alias/ours")
    stop = changes.plan_encryption(with_key, None)
    of_key = {"EncryptionType": "KMS", "KeyId": "alias/ours"}
    assert start == Order("StartStreamEncryption", of_key)
    assert stop == Order("StopStreamEncryption", of_key)
    with pytest.raises(ConfigError, match="no key"):
        changes.plan_encryption(NOW, "")


@given(st.dictionaries(st.text(min_size=1), st.none() | st.text(), max_size=130))
def test_tags_go_in_calls_that_are_not_too_long(tags: dict[str, str | None]) -> None:
    done: dict[str, str | None] = {}

    for order in changes.plan_tags(tags):
        part = order.parameters.get("Tags") or dict.fromkeys(order.parameters.get("TagKeys", ()))
        assert 0 < len(part) <= 50
        done |= part

    assert done == tags
