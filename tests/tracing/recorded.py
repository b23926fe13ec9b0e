"""Spans that are kept where a test can look at them."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Recorded:
    """A provider of its own, and what ended in it."""

    def __init__(self, *processors: SpanProcessor) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        for each in (*processors, SimpleSpanProcessor(self.exporter)):
            self.provider.add_span_processor(each)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    @property
    def batches(self) -> list[ReadableSpan]:
        return [each for each in self.spans if each.name.startswith("process ")]


def said(span: ReadableSpan) -> Mapping[str, object]:
    assert span.attributes is not None
    return span.attributes


def linked(span: ReadableSpan) -> list[tuple[int, int]]:
    return [(link.context.trace_id, link.context.span_id) for link in span.links]


def parent_of(number: int) -> str:
    """A `traceparent` of a producer."""
    return f"00-{number:032x}-{number:016x}-01"
