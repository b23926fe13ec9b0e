from __future__ import annotations

import threading

import pytest
from kcl_py import Batch, LeaseConfig, MetricsConfig, Producer, Worker, WorkerConfig
from kcl_py.local import Engine
from kcl_py.streams import ensure_stream
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import traced_orders

exporter = InMemorySpanExporter()
reader = InMemoryMetricReader()


def configure() -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))


def named(name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def test_a_batch_is_linked_to_the_requests_that_put_its_orders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure()
    seen: list[int] = []
    all_seen = threading.Event()
    process = traced_orders.Bills.process_records

    def counted(self: traced_orders.Bills, batch: Batch) -> None:
        process(self, batch)
        seen.append(len(batch))
        if sum(seen) >= 5:
            all_seen.set()

    monkeypatch.setattr(traced_orders.Bills, "process_records", counted)
    with Engine() as engine:
        session = engine.session()
        ensure_stream("orders", session=session)
        with Producer("orders", session=session) as producer:
            for name in ("ada", "alan", "grace", "edsger", "barbara"):
                traced_orders.put_order(producer, name)
        config = WorkerConfig(
            initial_position="earliest",
            leases=LeaseConfig(duration=3.0, settle=0.0),
            metrics=MetricsConfig(level="summary", sink="otel"),
        )
        with Worker(
            app_name="bills",
            stream="orders",
            processor=traced_orders.bills,
            config=config,
            session=session,
        ):
            assert all_seen.wait(60)

    put = [span.context.span_id for span in named("put order") if span.context]
    batches = named("process orders")
    assert len(put) == 5
    assert sorted(link.context.span_id for span in batches for link in span.links) == sorted(put)
    parents = {span.parent.span_id for span in named("bill") if span.parent}
    assert parents == {span.context.span_id for span in batches if span.context}
    data = reader.get_metrics_data()
    assert data is not None
    numbers = {
        metric.name: metric.data.data_points[0]
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
    }
    assert getattr(numbers["kcl.records_processed"], "value", None) == 5
