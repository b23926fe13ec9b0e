"""Orders, traced from the request that put them to the batch that they were billed in."""

from __future__ import annotations

from kcl_py import Batch, Producer, RecordProcessor
from kcl_py.tracing import context_in_json, inject, traced
from opentelemetry import trace

tracer = trace.get_tracer("orders")


def put_order(producer: Producer, customer: str) -> None:
    with tracer.start_as_current_span("put order", kind=trace.SpanKind.PRODUCER):
        producer.put(inject({"customer": customer}), key=customer)


class Bills(RecordProcessor):
    def process_records(self, batch: Batch) -> None:
        for record in batch:
            with tracer.start_as_current_span("bill"):  # inside the span of the batch
                print(f"bill for {record.json()['customer']}", flush=True)


bills = traced(Bills, context_of=context_in_json("traceparent"))
