"""Is a stream really changed, once, and waited for? Against the engine, and with lost answers."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from kcl_py.aggregation import hash_key
from kcl_py.aws.retry import Patience
from kcl_py.aws.stream_admin import StreamBusy, StreamInUse
from kcl_py.errors import ConfigError, StreamNotFound, Unavailable
from kcl_py.local.engine import Engine, EngineSettings
from kcl_py.local.kinesis import KinesisSettings
from kcl_py.local.process import EngineProcess
from kcl_py.streams import Reader, Stream, ensure_stream, list_streams
from tests.local.worlds import FIRST, SECOND
from tests.streams.conftest import MakeStream

if TYPE_CHECKING:
    import boto3.session


def fault(engine: EngineProcess | Engine, *rules: dict[str, Any]) -> None:
    asked = urllib.request.Request(
        f"{engine.endpoint_url}/_kcl/faults", json.dumps({"rules": list(rules)}).encode()
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 200


def test_a_stream_is_made_once_and_described(make: MakeStream) -> None:
    stream = make(shards=3, tags={"team": "data"})

    again = ensure_stream(stream.describe().arn.rpartition("/")[2], session=session_of(stream))

    found = again.describe()
    assert (found.status, found.mode, found.open_shard_count) == ("ACTIVE", "provisioned", 3)
    assert (found.retention_hours, found.record_bytes_max) == (24, 1024**2)
    assert (found.encryption_key, found.enhanced_metrics, found.consumers) == (None, (), 0)
    assert stream.tags() == {"team": "data"}


def session_of(stream: Stream) -> boto3.session.Session:
    session = stream._connection.session
    assert session is not None
    return session


def test_streams_are_listed(make: MakeStream) -> None:
    stream = make()

    assert stream.describe().name in list_streams(session=session_of(stream))


def test_the_shard_of_a_key_is_the_one_that_takes_it(make: MakeStream, kinesis: Any) -> None:
    stream = make(shards=4)

    for key in ("ann", "bob", "chris"):
        found = stream.shard_for_key(key)
        put = kinesis.put_record(StreamName=stream.describe().name, Data=b"x", PartitionKey=key)
        assert found.starting_hash_key <= hash_key(key) <= found.ending_hash_key
        assert found.shard_id == put["ShardId"]


def test_a_split_returns_its_children_and_a_merge_undoes_it(make: MakeStream) -> None:
    stream = make()

    lower, upper = stream.split(FIRST, at=0.25)
    merged = stream.merge(upper.shard_id, lower.shard_id)

    assert lower.ending_hash_key + 1 == upper.starting_hash_key == 2**126
    assert lower.parent_shard_ids == upper.parent_shard_ids == (FIRST,)
    assert sorted(merged.parent_shard_ids) == [lower.shard_id, upper.shard_id]
    assert (merged.starting_hash_key, merged.ending_hash_key) == (0, 2**128 - 1)
    assert [shard.shard_id for shard in stream.shards(only_open=True)] == [merged.shard_id]
    assert [shard.is_open for shard in stream.shards()] == [False, False, False, True]


def test_what_was_not_waited_for_has_no_id_yet(make: MakeStream) -> None:
    stream = make()

    lower, upper = stream.split(FIRST, wait=False)

    assert (lower.shard_id, upper.shard_id) == ("", "")
    assert upper.starting_hash_key == 2**127
    stream.wait_active()
    assert len(stream.shards(only_open=True)) == 2


def test_a_change_waits_for_another_one(make: MakeStream) -> None:
    stream = make(shards=2)

    stream.split(FIRST, wait=False)
    stream.split(SECOND)

    assert stream.describe().open_shard_count == 4


def test_what_cannot_be_resharded_is_refused_with_what_can(make: MakeStream) -> None:
    stream = make(shards=3)
    lower, upper = stream.split(FIRST)

    with pytest.raises(ConfigError, match=rf"{lower.shard_id}.*{upper.shard_id}"):
        stream.split(FIRST)
    with pytest.raises(ConfigError, match=SECOND):
        stream.merge(lower.shard_id, "shardId-000000000002")
    with pytest.raises(ConfigError, match="start = 'at:' is no place to begin"):
        Reader(stream, start="at:")
    assert len(stream.shards(only_open=True)) == 4, "and nothing was changed"


def test_retention_and_tags(make: MakeStream) -> None:
    stream = make(tags={"a": "1", "b": "2"})

    stream.set_retention(48)
    stream.set_retention(36)
    stream.set_tags({"a": None, "c": "3"})

    assert stream.describe().retention_hours == 36
    assert stream.tags() == {"b": "2", "c": "3"}


def test_scaling_changes_the_number_of_shards(make: MakeStream) -> None:
    stream = make(shards=2)

    stream.scale(3)
    assert stream.describe().open_shard_count == 3
    stream.scale(2)

    assert [shard.starting_hash_key for shard in stream.shards(only_open=True)] == [0, 2**127]
    with pytest.raises(ConfigError, match="go to 4 first"):
        stream.scale(5)


def test_mode_encryption_and_metrics(make: MakeStream) -> None:
    stream = make()

    stream.set_enhanced_metrics(["IncomingBytes", "OutgoingBytes"])
    stream.set_enhanced_metrics(["OutgoingBytes", "OutgoingRecords"])
    stream.encrypt("alias/aws/kinesis")
    stream.set_mode("on_demand")

    found = stream.describe()
    assert found.enhanced_metrics == ("OutgoingBytes", "OutgoingRecords")
    assert (found.encryption_key, found.mode) == ("alias/aws/kinesis", "on_demand")
    stream.encrypt(None)
    stream.set_enhanced_metrics([])
    found = stream.describe()
    assert (found.encryption_key, found.enhanced_metrics) == (None, ())
    with pytest.raises(ConfigError, match="scales by itself"):
        stream.scale(2)


def test_a_stream_that_scales_by_itself(make: MakeStream) -> None:
    found = make(shards="on_demand").describe()

    assert found.mode == "on_demand"
    assert found.open_shard_count > 1


def test_a_stream_with_registered_consumers_is_not_deleted_by_mistake(
    make: MakeStream, kinesis: Any
) -> None:
    stream = make()
    kinesis.register_stream_consumer(StreamARN=stream.describe().arn, ConsumerName="mine")

    with pytest.raises(StreamInUse, match="has 1 registered consumer;"):
        stream.delete()
    stream.delete(enforce_consumer_deletion=True)


def test_a_stream_is_deleted_and_made_again(make: MakeStream) -> None:
    stream = make()
    name = stream.describe().name

    stream.delete(wait=False)
    again = ensure_stream(name, shards=2, session=session_of(stream))
    assert again.describe().open_shard_count == 2
    again.delete()

    with pytest.raises(StreamNotFound, match=f"no stream {name} in us-east-1"):
        again.describe()
    with pytest.raises(StreamNotFound):
        again.delete()
    with pytest.raises(StreamNotFound):
        again.split(FIRST)


@pytest.mark.parametrize("kind", ["lost", "cut", "500", "throttle"])
def test_a_change_whose_answer_gets_lost_is_made_once(kind: str) -> None:
    with Engine() as engine:
        session = engine.session()
        changes = ["CreateStream", "SplitShard", "MergeShards", "DeleteStream"]
        changes += ["IncreaseStreamRetentionPeriod", "AddTagsToStream"]
        rules = [{"kind": kind, "operations": [name], "count": 1} for name in changes]
        fault(engine, *rules)

        stream = ensure_stream("orders", tags={"a": "b"}, session=session)
        lower, upper = stream.split(FIRST)
        merged = stream.merge(lower.shard_id, upper.shard_id)
        stream.set_retention(48)
        stream.set_tags({"c": "d"})

        assert len(stream.shards()) == 4
        assert merged.is_open
        assert stream.describe().retention_hours == 48
        assert stream.tags() == {"a": "b", "c": "d"}
        stream.delete()
        assert list_streams(session=session) == ()


def test_a_stream_that_is_being_made_or_deleted_says_so() -> None:
    settings = EngineSettings(kinesis=KinesisSettings(create_seconds=1e6, delete_seconds=1e6))
    with Engine.from_settings(settings) as engine:
        stream = ensure_stream("orders", wait=False, session=engine.session())
        stream._connection.patience = Patience(sleep=lambda _: None)

        with pytest.raises(StreamBusy, match="is CREATING and has no shards; wait until"):
            stream.shards()
        with pytest.raises(StreamBusy, match="CREATING"):
            stream.split(FIRST, wait=False)
        with pytest.raises(StreamBusy, match="CREATING"):
            stream.set_retention(48, wait=False)
        with pytest.raises(Unavailable, match="was CREATING for 0 s"):
            stream.wait_active(timeout=0)

        stream.delete(wait=False)
        with pytest.raises(StreamBusy, match="is DELETING and has no shards; name another"):
            stream.shards()
        with pytest.raises(StreamNotFound, match="is being deleted; wait until it is gone"):
            stream.set_retention(48)
        with pytest.raises(StreamBusy, match="is being deleted; create it again"):
            ensure_stream("orders", wait=False, session=engine.session())


@pytest.mark.parametrize("shards", [0, -1, True, "many", 1.5])
def test_a_number_of_shards_is_one(shards: Any) -> None:
    with pytest.raises(ConfigError, match="1 or more, or 'on_demand'"):
        ensure_stream(
            "orders", shards=shards, region="us-east-1", endpoint_url="http://127.0.0.1:1"
        )


def test_arguments_are_checked_before_anything_is_connected() -> None:
    with pytest.raises(ConfigError, match="neither a stream name"):
        Stream("no/name")
    with pytest.raises(ConfigError, match="http://"):
        Stream("orders", endpoint_url="127.0.0.1")
    with pytest.raises(ConfigError, match="by its name"):
        ensure_stream("arn:aws:kinesis:us-east-1:000000000000:stream/orders")
