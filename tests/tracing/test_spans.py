"""What does the span of a batch say, whom does it link to, and what does it never cost?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode

from kcl_py import Batch, ConfigError, LeaseLost, Record, RecordFailed
from kcl_py.testing import make_batch, make_record
from kcl_py.tracing import ContextOf, context_in_json, inject, traced
from tests.tracing.recorded import Recorded, linked, parent_of, said


def take(batch: Batch) -> None:
    for _ in batch:
        """It is taken."""


def process(
    data: list[Any],
    function: Any = take,
    *,
    context_of: ContextOf | None = None,
    recorded: Recorded | None = None,
    **other: Any,
) -> ReadableSpan:
    """One batch through a traced function; what it raises is left to the span."""
    recorded = recorded or Recorded()
    other = {"tracer_provider": recorded.provider, **other}
    processor: Any = traced(function, context_of=context_of, **other)()
    batch, _ = make_batch(data, shard_id="shardId-7", fencing_token=9)
    try:
        processor.process_records(batch)
    except Exception:  # noqa: BLE001 - the span has it, and is looked at
        assert recorded.batches
    return recorded.batches[-1]


def test_it_says_what_the_conventions_want_and_where_the_batch_lies() -> None:
    records = [make_record("a"), make_record("b"), make_record("c")]
    span = process(records)

    assert (span.name, span.kind, span.parent) == ("process test", SpanKind.CONSUMER, None)
    assert span.status.status_code is StatusCode.UNSET
    assert dict(said(span)) == {
        "messaging.system": "aws_kinesis",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": "test",
        "messaging.destination.partition.id": "shardId-7",
        "messaging.consumer.group.name": "test",
        "messaging.client.id": "test-worker",
        "messaging.batch.message_count": 3,
        "aws.kinesis.stream_name": "test",
        "kcl.fencing_token": 9,
        "kcl.attempt": 1,
        "kcl.lag": 0.0,
        "kcl.position.first": str(records[0].position),
        "kcl.position.last": str(records[-1].position),
    }


def test_an_empty_batch_has_no_positions() -> None:
    span = process([])

    assert said(span)["messaging.batch.message_count"] == 0
    assert "kcl.position.first" not in said(span)


def test_it_is_current_for_the_processor_and_a_trace_of_its_own() -> None:
    recorded = Recorded()
    tracer = recorded.provider.get_tracer("the program")

    def work(batch: Batch) -> None:
        with tracer.start_as_current_span("mine"):
            take(batch)

    with tracer.start_as_current_span("what started the worker") as outer:
        process(["a"], work, recorded=recorded)
        assert trace.get_current_span() is outer
    mine, batch, _ = recorded.spans

    assert batch.context is not None
    assert mine.parent is not None
    assert (mine.parent.span_id, batch.parent) == (batch.context.span_id, None)
    assert batch.context.trace_id != outer.get_span_context().trace_id


# ------------------------------------------------------------------------------------------ links


def test_it_links_to_each_context_once_and_says_which_record_had_it() -> None:
    records = [
        make_record({"traceparent": parent_of(number), "n": 1}) for number in (1, 1, 2, 1, 3)
    ]
    span = process([*records, make_record({"n": 2})], context_of=context_in_json())

    assert linked(span) == [(1, 1), (2, 2), (3, 3)]
    found = [link.attributes["messaging.message.id"] for link in span.links if link.attributes]
    assert found == [str(records[index].position) for index in (0, 2, 4)]
    assert "kcl.links.records_left_out" not in said(span)


@given(st.lists(st.integers(0, 6), max_size=30), st.integers(1, 5))
def test_links_are_bounded_and_what_is_left_out_is_told(numbers: list[int], most: int) -> None:
    data = [{"traceparent": parent_of(number)} if number else {} for number in numbers]
    span = process(data, context_of=context_in_json(), links_max=most)

    wanted = list(dict.fromkeys(number for number in numbers if number))
    assert [number for number, _ in linked(span)] == wanted[:most]
    left_out = said(span).get("kcl.links.records_left_out", 0)
    assert isinstance(left_out, int)
    looked_at = numbers[: len(numbers) - left_out]
    assert len({number for number in looked_at if number}) == min(most, len(wanted))
    assert left_out or looked_at == numbers


def test_by_default_there_are_as_many_as_the_sdk_takes() -> None:
    data = [{"traceparent": parent_of(number)} for number in range(1, 201)]
    span = process(data, context_of=context_in_json())

    assert len(span.links) == 128
    assert span.dropped_links == 0
    assert said(span)["kcl.links.records_left_out"] == 72


def test_a_context_that_raises_costs_no_record_and_is_told_once_for_a_shard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    taken: list[bytes] = []

    def work(batch: Batch) -> None:
        taken.extend(record.data for record in batch)

    records = [make_record(each) for each in ("no JSON", {"traceparent": parent_of(1)}, "again")]
    recorded = Recorded()
    processor: Any = traced(work, context_of=context_in_json(), tracer_provider=recorded.provider)()
    for shard in ("shard-0", "shard-0", "shard-1"):
        batch, _ = make_batch(records, shard_id=shard)
        processor.process_records(batch)

    assert len(taken) == 9
    assert [linked(span) for span in recorded.batches] == [[(1, 1)]] * 3
    assert {said(span)["kcl.links.records_failed"] for span in recorded.batches} == {2}
    told = [each for each in caplog.records if each.message == "tracing.context_failed"]
    assert [each.__dict__["lease_key"] for each in told] == ["shard-0", "shard-1"]
    assert {each.__dict__["position"] for each in told} == {str(records[0].position)}
    assert {each.__dict__["error_type"] for each in told} == {"RecordDecodeError"}
    assert "no JSON" not in str([each.__dict__ for each in told])


@pytest.mark.parametrize(
    "returned", ["00-1-1-01", {"traceparent": 7}, [("traceparent", "x")], object()]
)
def test_what_is_no_carrier_is_a_failure_and_not_more(returned: Any) -> None:
    span = process(["a"], context_of=lambda record: returned)

    assert not span.links
    assert said(span)["kcl.links.records_failed"] == 1


@pytest.mark.parametrize("text", ["", "garbage", "00-0-0-00", "ff-" + "1" * 32, "ü" * 9000])
def test_what_is_no_context_is_none(text: str) -> None:
    span = process([{"traceparent": text}], context_of=context_in_json())

    assert not span.links
    assert "kcl.links.records_failed" not in said(span)


def test_looking_for_contexts_hands_no_record_over() -> None:
    records = [make_record({"traceparent": parent_of(number)}) for number in (1, 2, 3)]
    batch, log = make_batch(records)

    def work(batch: Batch) -> None:
        batch.checkpoint()  # of nothing
        next(iter(batch))
        batch.checkpoint()

    recorded = Recorded()
    processor: Any = traced(work, context_of=context_in_json(), tracer_provider=recorded.provider)()
    processor.process_records(batch)

    assert len(linked(recorded.batches[0])) == 3
    assert log.positions == (records[0].position,)


def test_without_a_context_of_no_record_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a record was looked at")

    batch, _ = make_batch([make_record(str(number)) for number in range(100)])
    monkeypatch.setattr("kcl_py.tracing.links.Links.find", refuse)
    monkeypatch.setattr("kcl_py.processor.batches._Records.__iter__", refuse)
    recorded = Recorded()
    processor: Any = traced(lambda batch: None, tracer_provider=recorded.provider)()
    processor.process_records(batch)

    assert len(recorded.batches) == 1


# ----------------------------------------------------------------------------------------- errors


def test_what_the_processor_raises_is_on_the_span() -> None:
    def fail(batch: Batch) -> None:
        raise KeyError("name")

    span = process(["a"], fail)

    assert (span.status.status_code, said(span)["error.type"]) == (StatusCode.ERROR, "KeyError")
    assert [event.name for event in span.events] == ["exception"]


def test_a_record_that_is_named_is_named_there_with_what_really_happened() -> None:
    records = [make_record("a"), make_record("b")]

    def fail(batch: Batch) -> None:
        _, second = batch
        raise RecordFailed(second) from ValueError("what really happened")

    span = process(records, fail)

    assert said(span)["error.type"] == "ValueError"
    assert said(span)["kcl.position.failed"] == str(records[1].position)


@pytest.mark.parametrize(
    "error", [LeaseLost(lease_key="s"), ExceptionGroup("tasks", [LeaseLost(lease_key="s")])]
)
def test_a_lost_lease_is_no_error(error: Exception) -> None:
    def fail(batch: Batch) -> None:
        raise error

    span = process(["a"], fail)

    assert span.status.status_code is StatusCode.UNSET
    assert said(span)["kcl.ended_by"] == type(error).__name__
    assert not span.events


# -------------------------------------------------------------------------------- nobody, and bugs


class Broken(SpanProcessor):
    def __init__(self, when: str) -> None:
        self.when = when

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if self.when == "start":
            raise OSError("an exporter of the user's")

    def on_end(self, span: Any) -> None:
        if self.when == "end":
            raise OSError("an exporter of the user's")


@pytest.mark.parametrize("when", ["start", "end"])
def test_a_broken_exporter_costs_no_record_and_is_told_once(
    when: str, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[int] = []
    recorded = Recorded(Broken(when))
    processor: Any = traced(
        lambda batch: taken.append(len(batch)), tracer_provider=recorded.provider
    )()
    for _ in range(3):
        processor.process_records(make_batch(["a", "b"])[0])

    assert taken == [2, 2, 2]
    assert [each.message for each in caplog.records] == ["tracing.failed"]


def test_an_error_without_a_text_costs_no_span(caplog: pytest.LogCaptureFixture) -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise KeyError("text")

    def fail(batch: Batch) -> None:
        raise SilentError

    span = process(["a"], fail)

    assert span.status.status_code is StatusCode.ERROR
    assert said(span)["error.type"] == SilentError.__qualname__
    assert [each.message for each in caplog.records] == ["tracing.failed"]


def test_where_nobody_listens_no_record_is_looked_at_and_that_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(record: Record) -> Mapping[str, str] | None:
        raise AssertionError("a record was looked at")

    taken: list[int] = []
    processor: Any = traced(
        lambda batch: taken.append(len(batch)),
        context_of=refuse,
        tracer_provider=NoOpTracerProvider(),
    )()
    for _ in range(3):
        processor.process_records(make_batch(["a"])[0])

    assert taken == [1, 1, 1]
    (told,) = caplog.records
    assert told.message == "tracing.unheard"
    assert "opentelemetry-instrument" in told.__dict__["problem"]


def test_without_the_package_the_import_says_what_to_install() -> None:
    program = (
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if 'telemetry' in name else find(name, *rest)\n"
        "import kcl_py.tracing"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True
    )

    assert done.stderr.splitlines()[-1] == (
        "ImportError: kcl_py.tracing needs OpenTelemetry; "
        "install it with: pip install 'kcl-py[otel]'"
    )


# --------------------------------------------------------------------------------------- carriers

FIELDS = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='"\\'), max_size=20
).filter(lambda each: each != "tracestate")


@pytest.mark.parametrize("field", ["tracestate", 'a"b', "a\\b", "a\nb"])
def test_a_field_that_cannot_be_looked_for_is_refused(field: str) -> None:
    with pytest.raises(ConfigError, match="cannot be looked for"):
        context_in_json(field)


@given(FIELDS)
def test_what_is_put_into_an_object_is_found_there(field: str) -> None:
    tracer = Recorded().provider.get_tracer("a producer")
    with tracer.start_as_current_span("send") as span:
        record = make_record(inject({"n": 1}, field=field))
    found = process([record], context_of=context_in_json(field))

    context = span.get_span_context()
    assert linked(found) == [(context.trace_id, context.span_id)]


def test_what_is_put_beside_the_rest_is_found_with_its_state() -> None:
    context_of = context_in_json()
    tracer = Recorded().provider.get_tracer("a producer")
    with tracer.start_as_current_span("send") as span:
        document = inject({"n": 1})

    assert set(document) == {"n", "traceparent"}
    assert f"{span.get_span_context().span_id:016x}" in document["traceparent"]
    assert context_of(make_record({**document, "tracestate": "a=1"})) == {
        "traceparent": document["traceparent"],
        "tracestate": "a=1",
    }
    assert context_of(make_record({"n": 1, "traceparent": None})) is None


@pytest.mark.parametrize("field", [None, "trace"])
def test_without_a_current_span_nothing_is_added(field: str | None) -> None:
    assert inject({"n": 1}, field=field) == {"n": 1}
