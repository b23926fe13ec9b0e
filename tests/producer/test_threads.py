"""Does a Producer keep its word over real threads and sockets, against the embedded engine?"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3.session
import pytest

from kcl_py import (
    BufferFull,
    ConfigError,
    Delivery,
    Producer,
    ProducerConfig,
    PutFailed,
    PutFailure,
    PutResult,
    RecordRefused,
    Undelivered,
    streams,
)
from tests.producer.conftest import Stream

QUICK = ProducerConfig(linger=0.01)
SECONDS_MAX = 30.0


def producer_of(stream: Stream, config: ProducerConfig = QUICK, **more: Any) -> Producer:
    return Producer(stream.name, config=config, session=stream.session, **more)


def test_what_was_put_is_there_after_the_block(stream: Stream) -> None:
    with producer_of(stream) as producer:
        deliveries = [producer.put({"n": n, "x": -1.5}, key=f"key-{n % 7}") for n in range(1200)]

    assert all(delivery.done() for delivery in deliveries)
    result = deliveries[0].result()
    assert isinstance(result, PutResult)
    assert result.attempts == 1
    assert result.shard_id.startswith("shardId-")
    stored = Counter((record.partition_key, record.data) for record in stream.records())
    assert stored == Counter((f"key-{n % 7}", b'{"n":%d,"x":-1.5}' % n) for n in range(1200))
    counters = producer.counters()
    assert (counters.records, counters.failures, counters.pending) == (1200, 0, 0)
    assert counters.buffered_bytes == 0


def test_bytes_and_text_go_as_they_are(stream: Stream) -> None:
    with producer_of(stream) as producer:
        producer.put(b"\x00\xff", key="a")
        producer.put("né", key="a", hash_key=0)
        producer.put(bytearray(b"b"), key="a", hash_key="0")
        result = producer.put(b"", key="a", hash_key=2**128 - 1).result(SECONDS_MAX)

    assert {record.data for record in stream.records()} == {b"\x00\xff", "né".encode(), b"b", b""}
    assert result.shard_id == "shardId-000000000001"


FAULTS: list[list[dict[str, Any]]] = [
    [{"kind": "throttle", "probability": 0.4}],
    [{"kind": "500", "probability": 0.4}],
    [{"kind": "partial", "probability": 0.4}],
    [{"kind": "cut", "probability": 0.3}],
    [{"kind": "lost", "probability": 0.3}],
    [
        {"kind": "throttle", "probability": 0.2},
        {"kind": "lost", "probability": 0.2},
        {"kind": "partial", "probability": 0.3},
    ],
]


@pytest.mark.parametrize("order", ["none", "per_key"])
@pytest.mark.parametrize("aggregation", ["off", "per_shard"])
@pytest.mark.parametrize("rules", FAULTS, ids=lambda rules: "+".join(r["kind"] for r in rules))
def test_nothing_is_lost_to_faults(
    stream: Stream, rules: list[dict[str, Any]], order: Any, aggregation: Any
) -> None:
    stream.faults(*rules)
    config = replace(QUICK, order=order, aggregation=aggregation, batch_records=20)
    with producer_of(stream, config) as producer:
        for number in range(120):
            producer.put(b"%d" % number, key=f"key-{number % 40}")
        assert producer.flush() == []

    numbers = [int(record.data) for record in stream.records()]
    assert set(numbers) == set(range(120))
    if order == "per_key":
        for key in range(40):
            of_key = [number for number in dict.fromkeys(numbers) if number % 40 == key]
            assert of_key == sorted(of_key)


def test_a_reply_that_was_lost_makes_a_duplicate(stream: Stream) -> None:
    stream.faults({"kind": "lost", "count": 1})
    with producer_of(stream) as producer:
        result = producer.put(b"x", key="a").result(SECONDS_MAX)

    assert result.attempts == 2
    assert [record.data for record in stream.records()] == [b"x", b"x"]


def test_a_stream_that_is_not_there_is_told_by_outcomes(stream: Stream) -> None:
    producer = Producer("missing", config=QUICK, session=stream.session)
    delivery = producer.put({"a": 1}, key="its key", hash_key=7)
    with pytest.raises(PutFailed) as caught:
        delivery.result(SECONDS_MAX)

    failure = caught.value.failure
    assert failure.error_code == "ResourceNotFoundException"
    assert (failure.data, failure.partition_key) == (b'{"a":1}', "its key")
    assert (failure.explicit_hash_key, failure.attempts) == ("7", 1)
    assert (failure.cause, failure.permanent) == ("stream", True)
    assert "in 1 attempt: ResourceNotFoundException" in str(caught.value)
    assert "or create the stream" in str(caught.value)
    assert producer.flush() == []
    producer.close()


def test_access_denied_is_not_tried_again(stream: Stream) -> None:
    stream.faults({"kind": "deny"})
    with producer_of(stream) as producer:
        delivery = producer.put(b"x")
        (failure,) = producer.flush()

    assert (failure.error_code, failure.attempts) == ("AccessDeniedException", 1)
    assert failure.permanent
    with pytest.raises(PutFailed, match="allow kinesis:PutRecords on this stream in the IAM"):
        delivery.result()


def test_close_raises_with_what_is_left(stream: Stream) -> None:
    producer = Producer("missing", config=QUICK, session=stream.session)
    producer.put(b"a", key="k")
    producer.put(b"b", key="k")
    with pytest.raises(Undelivered) as caught:
        producer.close()

    assert sorted(failure.data for failure in caught.value.failures) == [b"a", b"b"]
    producer.close()  # once more does nothing


def test_a_close_out_of_time_hands_back_what_is_under_way(stream: Stream) -> None:
    stream.faults({"kind": "throttle"})
    producer = producer_of(stream)
    producer.put(b"a", key="k")
    with pytest.raises(Undelivered) as caught:
        producer.close(timeout=0.2)

    (failure,) = caught.value.failures
    assert failure.error_code == "ProducerClosed"
    assert failure.data == b"a"
    assert failure.attempts >= 1


def test_an_exception_in_the_block_is_not_covered_up(stream: Stream) -> None:
    def fail() -> None:
        with Producer("missing", config=QUICK, session=stream.session) as producer:
            producer.put(b"a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def test_put_after_close_is_refused(stream: Stream) -> None:
    producer = producer_of(stream)
    producer.close()

    with pytest.raises(RuntimeError, match="closed"):
        producer.put(b"x")
    assert producer.flush() == []


@pytest.mark.parametrize("order", ["none", "per_key"])
def test_a_split_under_way_loses_nothing(stream: Stream, order: Any) -> None:
    config = replace(QUICK, order=order, aggregation="per_shard", linger=0.005)
    with producer_of(stream, config) as producer:
        for number in range(1500):
            producer.put(b"%d" % number, key=f"key-{number % 50}")
            if number == 500:
                stream.split(0)
            if number % 100 == 0:
                producer.flush()

    numbers = [int(record.data) for record in stream.records()]
    assert set(numbers) == set(range(1500))
    assert producer.counters().failures == 0


def test_a_stream_that_is_deleted_under_way_is_told_by_outcomes(stream: Stream) -> None:
    producer = producer_of(stream)
    producer.put(b"1", key="k").result(SECONDS_MAX)
    stream.client.delete_stream(StreamName=stream.name)
    producer.put(b"2", key="k")
    (failure,) = producer.flush()
    producer.close()

    assert (failure.data, failure.error_code) == (b"2", "ResourceNotFoundException")


@pytest.mark.parametrize("order", ["none", "per_key"])
@pytest.mark.parametrize("aggregation", ["off", "per_shard"])
def test_a_stop_in_the_middle_hands_back_what_is_not_there(
    stream: Stream, order: Any, aggregation: Any
) -> None:
    stream.faults({"kind": "partial", "probability": 0.8}, {"kind": "delay", "seconds": 0.02})
    config = replace(QUICK, order=order, aggregation=aggregation, batch_records=10)
    producer = producer_of(stream, config)
    for number in range(300):
        producer.put(b"%d" % number, key=f"key-{number % 30}")
    handed_back: set[int] = set()
    try:
        producer.close(timeout=0.05)
    except Undelivered as left:
        handed_back = {int(failure.data) for failure in left.failures}

    stored = {int(record.data) for record in stream.records()}
    assert stored | handed_back == set(range(300))


# ------------------------------------------------------------------------------ flush and hooks


def test_a_flush_out_of_time_takes_nothing(stream: Stream) -> None:
    stream.faults({"kind": "throttle"})
    producer = producer_of(stream)
    producer.put(b"a", key="k")
    with pytest.raises(TimeoutError, match=r"still on their way after 0\.1 s: 1 record;"):
        producer.flush(timeout=0.1)

    stream.faults()
    assert producer.flush(timeout=SECONDS_MAX) == []
    producer.close()
    assert [record.data for record in stream.records()] == [b"a"]


def test_the_hook_has_every_failure_before_flush_returns(stream: Stream) -> None:
    told: list[PutFailure] = []
    config = replace(QUICK, batch_records=10)
    with Producer(
        "missing", config=config, session=stream.session, on_failure=told.append
    ) as producer:
        for number in range(100):
            producer.put(b"%d" % number)
        failures = producer.flush()

        assert failures == [], "the hook has them"
        assert sorted(f.data for f in told) == sorted(b"%d" % number for number in range(100))
        producer.put(b"last")

    assert told[100].data == b"last", "and close raises nothing: somebody has it"


def test_a_hook_that_raises_keeps_the_record(
    stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(failure: PutFailure) -> None:
        raise ValueError("the hook is broken")

    producer = Producer("missing", config=QUICK, session=stream.session, on_failure=broken)
    producer.put(b"a")
    with pytest.raises(Undelivered):
        producer.close()

    assert [record.message for record in caplog.records] == ["producer.callback_failed"]


def test_callbacks_are_called_each_once_and_may_raise(stream: Stream) -> None:
    called: list[Delivery] = []

    def callback(delivery: Delivery) -> None:
        called.append(delivery)
        raise ValueError("the callback is broken")

    with producer_of(stream) as producer:
        deliveries = [producer.put(b"x") for _ in range(10)]
        for delivery in deliveries:
            delivery.add_done_callback(callback)
    late: list[Delivery] = []
    deliveries[0].add_done_callback(late.append)

    assert Counter(map(id, called)) == Counter(map(id, deliveries))
    assert late == [deliveries[0]]


def inside_callback(producer: Producer, act: Callable[[], object]) -> BaseException | None:
    """What the act raises when a callback does it."""
    raised: list[BaseException | None] = []

    def callback(_delivery: Delivery) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - looked at below
            raised.append(error)
        else:
            raised.append(None)

    producer.put(b"x").add_done_callback(callback)
    producer.flush()
    return raised[0]


def test_a_callback_may_put_but_not_wait_for_its_producer(stream: Stream) -> None:
    with producer_of(stream) as producer:
        assert inside_callback(producer, lambda: producer.put(b"y")) is None
        assert isinstance(inside_callback(producer, producer.flush), RuntimeError)
        assert isinstance(inside_callback(producer, producer.close), RuntimeError)

    assert Counter(record.data for record in stream.records()) == {b"x": 3, b"y": 1}


# ----------------------------------------------------------------------------------- back-pressure


def put_many(producer: Producer, count: int) -> None:
    for _ in range(count):
        producer.put(b"x" * 1000)


def test_a_full_buffer_blocks_until_there_is_room(stream: Stream) -> None:
    config = replace(QUICK, buffer_bytes=64 * 1024, batch_records=5)
    with producer_of(stream, config) as producer:
        for _ in range(400):
            producer.put(b"x" * 1000)
            assert producer.counters().buffered_bytes <= 64 * 1024

    assert len(stream.records()) == 400


def test_a_full_buffer_raises_if_told_so(stream: Stream) -> None:
    stream.faults({"kind": "throttle"})
    config = replace(QUICK, buffer_bytes=64 * 1024, when_full="raise")
    producer = producer_of(stream, config)
    with pytest.raises(BufferFull):
        put_many(producer, 1000)
    accepted = producer.counters().pending
    stream.faults()
    producer.close()

    assert len(stream.records()) == accepted > 40


def test_a_put_waits_for_room_as_long_as_told(stream: Stream) -> None:
    stream.faults({"kind": "throttle"})
    config = replace(QUICK, buffer_bytes=64 * 1024, put_timeout=0.05)
    producer = producer_of(stream, config)
    with pytest.raises(BufferFull, match=r"put_timeout = 0.05 s; it was not queued"):
        put_many(producer, 1000)
    accepted = producer.counters().pending
    stream.faults()
    producer.close()

    assert len(stream.records()) == accepted > 40


def test_a_buffer_full_of_failures_says_so_instead_of_blocking(stream: Stream) -> None:
    config = replace(QUICK, buffer_bytes=64 * 1024)
    producer = Producer("missing", config=config, session=stream.session)
    with pytest.raises(BufferFull, match="take them back by flush"):
        put_many(producer, 1000)

    assert len(producer.flush()) > 40
    producer.put(b"there is room again")
    assert len(producer.flush()) == 1
    producer.close()


def test_failures_that_somebody_looked_at_make_room(stream: Stream) -> None:
    config = replace(QUICK, buffer_bytes=64 * 1024, linger=0.0)
    with Producer("missing", config=config, session=stream.session) as producer:
        for _ in range(200):
            with pytest.raises(PutFailed):
                producer.put(b"x" * 1000).result(SECONDS_MAX)


def test_many_threads_put_at_once(stream: Stream) -> None:
    config = replace(QUICK, buffer_bytes=256 * 1024)
    with producer_of(stream, config) as producer:

        def work(number: int) -> None:
            for place in range(500):
                producer.put(b"%d/%d" % (number, place), key=str(number))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len({record.data for record in stream.records()}) == 4000


# ---------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"data": b"", "key": ""}, "key is empty"),
        ({"data": b"", "key": "k" * 257}, "key has 257 characters"),
        ({"data": b"", "key": "\ud800"}, "surrogate"),
        ({"data": b"", "key": 7}, "key must be text, not int"),
        ({"data": "\ud800"}, "surrogate"),
        ({"data": b"", "hash_key": -1}, "hash_key must be"),
        ({"data": b"", "hash_key": 2**128}, "hash_key must be"),
        ({"data": b"", "hash_key": "0x10"}, "hash_key must be"),
        ({"data": b"", "hash_key": True}, "not bool"),
        ({"data": {"a": [1, {"b": object()}]}}, r"\$\.a\[1\]\.b is of the type object"),
        ({"data": b"x" * (10 * 1024 * 1024 + 1)}, "the stream takes 10485760"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_bad_records_are_named_and_not_queued(
    stream: Stream, arguments: dict[str, Any], said: str
) -> None:
    with producer_of(stream) as producer:
        with pytest.raises(RecordRefused, match=said):
            producer.put(**arguments)
        assert producer.counters().pending == 0


def test_a_key_of_256_characters_is_right_however_many_bytes(stream: Stream) -> None:
    with producer_of(stream) as producer:
        producer.put(b"x", key="é" * 256).result(SECONDS_MAX)


def test_the_stream_is_asked_how_large_a_record_may_be(stream: Stream) -> None:
    """This engine tells no limit, and knows the old one only."""
    size = 1024 * 1024
    with producer_of(stream) as producer:
        producer.put(b"x" * (size - 1), key="k").result(SECONDS_MAX)
        told = producer._opened._port.record_limit
        limit = told(producer._opened.patience).size_bytes or size
        with pytest.raises(RecordRefused, match=f"the stream takes {limit}"):
            producer.put(b"x" * limit, key="k")


def test_a_record_larger_than_the_buffer_is_refused(stream: Stream) -> None:
    with (
        producer_of(stream, replace(QUICK, buffer_bytes=64 * 1024)) as producer,
        pytest.raises(RecordRefused, match="buffer_bytes"),
    ):
        producer.put(b"x" * 64 * 1024)


def test_wrong_arguments_are_named(stream: Stream) -> None:
    session = stream.session
    with pytest.raises(ConfigError, match="neither a stream name"):
        Producer("no such name!", session=session)
    with pytest.raises(ConfigError, match="on_failure"):
        Producer("s", session=session, on_failure=7)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="encoder"):
        Producer("s", session=session, encoder="json")  # type: ignore[arg-type]


def test_a_stream_is_given_by_name_or_arn_or_handle(stream: Stream) -> None:
    """A handle brings its region, endpoint and session along."""
    described = stream.client.describe_stream_summary(StreamName=stream.name)
    arn = described["StreamDescriptionSummary"]["StreamARN"]
    elsewhere = stream.engine.environment
    by_keys = boto3.session.Session(
        elsewhere["AWS_ACCESS_KEY_ID"], elsewhere["AWS_SECRET_ACCESS_KEY"]
    )
    place = {"region": "us-east-1", "endpoint_url": stream.engine.endpoint_url}
    handles: list[tuple[Any, Any]] = [
        (stream.name, stream.session),
        (arn, stream.session),
        (streams.Stream(stream.name, session=stream.session), None),
        (streams.Stream(stream.name, session=by_keys, **place), None),
        (streams.Stream(arn, session=by_keys, **place), None),
    ]
    for number, (handle, session) in enumerate(handles):
        with Producer(handle, config=QUICK, session=session) as producer:
            producer.put(b"%d" % number, key="k")

    assert [record.data for record in stream.records()] == [b"0", b"1", b"2", b"3", b"4"]
    with pytest.raises(ConfigError, match=r"a name, an ARN or a .*Stream, not int"):
        Producer(7, session=stream.session)  # type: ignore[arg-type]


def test_an_encoder_of_ones_own_is_asked_for_values_only(stream: Stream) -> None:
    def encoder(value: Any) -> bytes:
        return repr(value).encode()

    with producer_of(stream, encoder=encoder) as producer:
        producer.put({"a": 1})
        producer.put("text")
        with pytest.raises(RecordRefused, match="the encoder returned str"):
            Producer(stream.name, session=stream.session, encoder=repr).put(1)  # type: ignore[arg-type]

    assert {record.data for record in stream.records()} == {b"{'a': 1}", b"text"}


# ------------------------------------------------------------------------------- fork and the end


def test_a_forked_child_is_refused(stream: Stream) -> None:
    program = (
        "import os, sys\n"
        "from kcl_py import Producer\n"
        f"with Producer({stream.name!r}) as producer:\n"
        "    producer.put(b'x')\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        for act in (lambda: producer.put(b'y'), producer.flush, producer.close):\n"
        "            try:\n"
        "                act()\n"
        "            except RuntimeError as error:\n"
        "                assert 'before a fork' in str(error)\n"
        "            else:\n"
        "                os._exit(1)\n"
        "        os._exit(0)\n"
        "    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    environment = {**stream.engine.environment}

    subprocess.run([sys.executable, "-W", "ignore", "-c", program], env=environment, check=True)

    assert [record.data for record in stream.records()] == [b"x"]


def test_an_end_without_close_says_how_many_records_that_costs(stream: Stream) -> None:
    stream.faults({"kind": "throttle"})
    program = (
        "from kcl_py import Producer\n"
        f"producer = Producer({stream.name!r})\n"
        "for number in range(7):\n"
        "    producer.put(b'x')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**stream.engine.environment},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stderr.count("not delivered yet: 7;") == 1
    assert ended.stderr.count("\n") == 1
    assert "close the producer, or use it in a with-block" in ended.stderr


def test_a_dispatcher_that_was_not_flushed_says_so_in_its_own_words(stream: Stream) -> None:
    stream.faults({"kind": "throttle"})
    program = (
        "from kcl_py import KinesisBatchDispatcher\n"
        f"dispatcher = KinesisBatchDispatcher({stream.name!r})\n"
        "dispatcher.submit_payload({'name': 'Ada'})\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**stream.engine.environment},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stderr.count("not delivered yet: 1;") == 1
    assert "call flush_payloads at the end" in ended.stderr
    assert "close" not in ended.stderr.replace("never_closed", "")


def test_the_programs_of_the_documentation_run(stream: Stream) -> None:
    examples = Path(__file__).resolve().parents[2] / "docs" / "examples"
    for name, said in (("produce.py", "0 failed\n2 queued\n0 left\n"), ("dispatch.py", "")):
        ended = subprocess.run(
            [sys.executable, name],
            cwd=examples,
            env={
                **stream.engine.environment,
                "PYTHONPATH": str(examples.parents[1]),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            check=True,
        )
        assert said in ended.stdout
        assert "not delivered" not in ended.stdout
