"""Is every form of a processor traced, and is nothing else about it changed?"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_py import (
    AsyncBatch,
    AsyncRecordProcessor,
    Batch,
    Checkpointing,
    ConfigError,
    LeaseLost,
    OnError,
    Record,
    RecordFailed,
    RecordProcessor,
    each_record,
)
from kcl_py.processor import classify
from kcl_py.testing import (
    CrashAfter,
    HandOffAfter,
    Incident,
    LoseLeaseAfter,
    ProcessorRun,
    SplitAfter,
    make_async_batch,
    make_batch,
    run_processor,
)
from kcl_py.tracing import context_in_json, traced
from tests.tracing.recorded import Recorded, parent_of, said

DATA = [{"n": n, "traceparent": parent_of(n // 3 + 1)} for n in range(40)]


class Sync(RecordProcessor):
    def process_records(self, batch: Batch) -> None:
        for _ in batch:
            """It is taken."""


class Named(Sync):
    def __init__(self, name: str) -> None:
        assert name == "n"


class Explicit(RecordProcessor):
    """Checkpoints what it has seen of a batch: the first half, then the rest."""

    checkpointing: ClassVar[Checkpointing] = "explicit"

    def process_records(self, batch: Batch) -> None:
        batch.checkpoint()  # nothing of it was handed over
        for number, _ in enumerate(batch):
            if number == len(batch) // 2:
                batch.checkpoint()
        batch.checkpoint(wait=False)


class Failing(RecordProcessor):
    """Fails at every seventh record, once, and for ever at one."""

    failed: ClassVar[set[int]] = set()

    def process_records(self, batch: Batch) -> None:
        for record in batch:
            number = record.json()["n"]
            if number == 11 or (number % 7 == 0 and number not in self.failed):
                self.failed.add(number)
                raise RecordFailed(record) from ValueError(f"number {number}")


class Async(AsyncRecordProcessor):
    async def process_records(self, batch: AsyncBatch) -> None:
        for _ in batch:
            await asyncio.sleep(0)


def function(batch: Batch) -> None:
    for _ in batch:
        """It is taken."""


async def async_function(batch: AsyncBatch) -> None:
    for _ in batch:
        await asyncio.sleep(0)


def one(record: Record) -> None:
    assert record.data


async def async_one(record: Record) -> None:
    assert record.data


FORMS: dict[str, Any] = {
    "class": Sync,
    "partial": functools.partial(Named, name="n"),
    "lambda": lambda: Named("n"),
    "explicit": Explicit,
    "function": function,
    "each_record": each_record(one),
    "async class": Async,
    "async function": async_function,
    "async each_record": each_record(async_one),
    "traced": traced(Sync),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_traced(form: str) -> None:
    recorded = Recorded()
    run = run_processor(traced(FORMS[form], tracer_provider=recorded.provider), DATA)

    assert run.shard_ended, run.transcript
    assert len(run.delivered) == len(DATA)
    counts = [said(span)["messaging.batch.message_count"] for span in recorded.batches]
    assert sum(counts) == len(DATA)  # type: ignore[arg-type]  # all are numbers
    assert len(counts) == run.transcript.count("process_records")


def broken(record: Record) -> None:
    raise KeyError(record.data)


@pytest.mark.parametrize("form", [Sync, Explicit, Async, Failing])
@given(st.data())
@settings(max_examples=8)
def test_whatever_happens_the_processor_and_its_checkpoints_are_as_without(
    form: Callable[[], Any], data: st.DataObject
) -> None:
    kinds: list[Callable[..., Incident]] = [CrashAfter, LoseLeaseAfter, HandOffAfter, SplitAfter]
    places = data.draw(st.lists(st.integers(1, 39), max_size=3, unique=True))
    incidents = [data.draw(st.sampled_from(kinds))(records=place) for place in sorted(places)]
    seed, context_of = (
        data.draw(st.integers(0, 99)),
        data.draw(st.sampled_from([None, context_in_json(), broken])),
    )
    recorded = Recorded()

    plain = run_once(form, incidents, seed)
    found = run_once(
        traced(form, context_of=context_of, tracer_provider=recorded.provider), incidents, seed
    )

    assert found.transcript == plain.transcript
    assert found.finished == plain.finished
    assert found.delivered == plain.delivered
    assert [repr(error) for error in found.errors] == [repr(error) for error in plain.errors]
    assert recorded.batches


def run_once(processor: Any, incidents: list[Incident], seed: int) -> ProcessorRun:
    Failing.failed.clear()
    policy = OnError(attempts=3, then="skip")
    return run_processor(processor, DATA, incidents=incidents, seed=seed, on_error=policy)


def test_traits_are_those_of_the_object_and_a_maker_stays_what_it_is() -> None:
    class Odd(Sync):
        checkpointing = "explicit"
        idle_after = 1.5

    made = traced(Odd)()

    assert (made.checkpointing, made.idle_after) == ("explicit", 1.5)
    assert classify(traced(Async)).is_async is True
    assert classify(traced(Odd)).is_async is False
    assert classify(traced(lambda: Odd())).is_async is None  # noqa: PLW0108 - a lambda is meant
    assert classify(traced(Odd)).name == "Odd"


def test_what_is_raised_comes_out_as_it_is() -> None:
    error = ValueError("no")

    def fail(batch: Batch) -> None:
        raise error

    processor = traced(fail, tracer_provider=Recorded().provider)()
    batch, _ = make_batch(DATA)

    with pytest.raises(ValueError, match="no") as raised:
        processor.process_records(batch)  # type: ignore[arg-type]  # it is no async one
    assert raised.value is error


@pytest.mark.parametrize("error", [StopIteration("odd"), LeaseLost(lease_key="s"), SystemExit(3)])
def test_so_does_what_others_treat_in_a_way_of_their_own(error: BaseException) -> None:
    def fail(batch: Batch) -> None:
        raise error

    recorded = Recorded()
    processor = traced(fail, tracer_provider=recorded.provider)()
    batch, _ = make_batch(DATA)

    with pytest.raises(type(error)) as raised:
        processor.process_records(batch)  # type: ignore[arg-type]  # it is no async one
    assert raised.value is error
    assert len(recorded.batches) == 1


def test_a_call_that_is_cancelled_is_cancelled_and_its_span_has_ended() -> None:
    recorded = Recorded()

    async def wait(batch: AsyncBatch) -> None:
        await asyncio.Event().wait()

    async def cancelled() -> None:
        processor = traced(wait, tracer_provider=recorded.provider)()
        batch, _ = make_async_batch(DATA)
        task = asyncio.create_task(processor.process_records(batch))  # type: ignore[arg-type]  # it is async
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())

    (span,) = recorded.batches
    assert said(span)["kcl.ended_by"] == "CancelledError"
    assert span.status.is_ok or span.status.is_unset


async def later(record: Record) -> None:
    """No context will ever come of this."""


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"context_of": "traceparent"}, "is no plain function"),
        ({"context_of": later}, "is no plain function"),
        ({"tracer_provider": "http://127.0.0.1:4317"}, "has no get_tracer"),
        ({"links_max": 0}, "links_max"),
    ],
)
def test_wrong_arguments_are_refused_when_it_is_made(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        traced(Sync, **arguments)


def test_what_is_no_processor_is_refused_when_it_is_made() -> None:
    with pytest.raises(ConfigError, match="cannot be made without name"):
        traced(Named)  # type: ignore[arg-type]  # a mistake
