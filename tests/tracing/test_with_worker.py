"""Are the batches of a real worker spans, and is each a trace of its own?"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from kcl_py import AsyncBatch, AsyncRecordProcessor, Batch, LeaseConfig, RecordFailed, Worker
from kcl_py.local import Engine
from kcl_py.streams import ensure_stream
from kcl_py.tracing import context_in_json, traced
from tests.tracing.recorded import Recorded, linked, parent_of, said

PATIENCE = 30.0
COUNT = 20


class Seen:
    """Counts records of all processor objects."""

    def __init__(self) -> None:
        self.count = 0
        self.all = threading.Event()

    def add(self) -> None:
        self.count += 1
        if self.count >= COUNT:
            self.all.set()


def asynchronous(seen: Seen) -> Any:
    class Counts(AsyncRecordProcessor):
        def __init__(self) -> None:
            self.loop = asyncio.get_running_loop()  # as without tracing, it is made on the loop

        async def process_records(self, batch: AsyncBatch) -> None:
            assert asyncio.get_running_loop() is self.loop
            for _ in batch:
                await asyncio.sleep(0)
                seen.add()

    return Counts


def failing_once(seen: Seen) -> Any:
    failed: list[int] = []

    def count(batch: Batch) -> None:
        for record in batch:
            if record.json()["n"] == 7 and not failed:
                failed.append(7)
                raise RecordFailed(record) from ValueError("once")
            seen.add()

    return count


@pytest.mark.parametrize("made", [asynchronous, failing_once])
def test_batches_of_a_worker_are_spans_with_links(made: Any) -> None:
    seen, recorded = Seen(), Recorded()
    tracer = recorded.provider.get_tracer("the program")
    processor = traced(made(seen), context_of=context_in_json(), tracer_provider=recorded.provider)
    with Engine() as engine:
        session = engine.session()
        kinesis = session.client("kinesis")
        ensure_stream("people", session=session)
        for n in range(COUNT):
            data = f'{{"n": {n}, "traceparent": "{parent_of(n + 1)}"}}'
            kinesis.put_record(StreamName="people", Data=data.encode(), PartitionKey="k")
        config = replace(
            engine.config(),
            initial_position="earliest",
            leases=LeaseConfig(duration=3.0, settle=0.0),
        )
        with (
            tracer.start_as_current_span("what started the worker") as outer,
            Worker(
                app_name="demo",
                stream="people",
                processor=processor,
                config=config,
                session=session,
            ) as worker,
        ):
            assert seen.all.wait(PATIENCE)

    assert {number for span in recorded.batches for number, _ in linked(span)} == set(
        range(1, COUNT + 1)
    )
    for span in recorded.batches:
        assert span.parent is None
        assert span.context is not None
        assert span.context.trace_id != outer.get_span_context().trace_id
        assert said(span)["messaging.client.id"] == worker.worker_id
    failed = [said(span)["error.type"] for span in recorded.batches if "error.type" in said(span)]
    assert failed == (["ValueError"] if made is failing_once else [])
