"""What does the span of one batch say, and how does it end?

A tracer of the user's, with exporters and samplers, never costs a record: what it raises is told.
Source: OpenTelemetry's semantic conventions for messaging spans.
"""

from __future__ import annotations

import logging
from types import TracebackType
from typing import TYPE_CHECKING, Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

import kcl_py
from kcl_py._otel import SCOPE, is_heard
from kcl_py.processor.batches import AsyncBatch, Batch, peek
from kcl_py.processor.raised import is_lease_lost, root_of
from kcl_py.tracing.links import Found, Links

if TYPE_CHECKING:
    from contextvars import Token

    from kcl_py.errors import RecordFailed

SYSTEM: Final = "aws_kinesis"
"""The conventions have no name for Kinesis; this one is like their `aws_sqs`."""

UNHEARD: Final = (
    "no TracerProvider is configured, so there are no spans; run it under opentelemetry-instrument,"
    " or call opentelemetry.trace.set_tracer_provider"
)

_log = logging.getLogger(__name__)


class Spans:
    """Makes the spans of one `traced`. Thread-safe.

    Args:
        provider: None: the global one, even if it is configured later.
        links: None: no record is looked at.
    """

    def __init__(self, provider: TracerProvider | None, links: Links | None) -> None:
        self._provider = provider
        self._links = links
        self._tracer = trace.get_tracer(SCOPE, kcl_py.__version__, provider)
        self._told: set[str] = set()

    def around(self, batch: Batch | AsyncBatch) -> BatchSpan:
        """The span of a batch, for `with`."""
        return BatchSpan(self, batch)

    def begin(self, batch: Batch | AsyncBatch) -> Span | None:
        """Start it; None: nobody listens, or it could not be made."""
        if not is_heard(self._provider or trace.get_tracer_provider()):
            if "unheard" not in self._told:
                self._told.add("unheard")
                _log.warning("tracing.unheard", extra={"problem": UNHEARD})
            return None
        try:
            return self._begin(batch)
        except Exception as error:  # noqa: BLE001 - a sampler or processor of spans; no record's fault
            self.tell(error)
            return None

    def _begin(self, batch: Batch | AsyncBatch) -> Span:
        shard, records = batch.shard, peek(batch)
        attributes: dict[str, str | int | float] = {
            "messaging.system": SYSTEM,
            "messaging.operation.type": "process",
            "messaging.operation.name": "process",
            "messaging.destination.name": shard.stream,
            "messaging.destination.partition.id": shard.shard_id,
            "messaging.consumer.group.name": shard.app_name,
            "messaging.client.id": shard.worker_id,
            "messaging.batch.message_count": len(records),
            "aws.kinesis.stream_name": shard.stream,
            "kcl.fencing_token": shard.fencing_token,
            "kcl.attempt": batch.attempt,
            "kcl.lag": batch.lag,
        }
        if records:
            attributes["kcl.position.first"] = str(records[0].position)
            attributes["kcl.position.last"] = str(records[-1].position)
        found = Found()
        if self._links is not None:
            found = self._links.find(shard.lease_key, records)
        if found.left_out:
            attributes["kcl.links.records_left_out"] = found.left_out
        if found.failed:
            attributes["kcl.links.records_failed"] = found.failed
        # A trace of its own: what is current here may be what started the worker, hours ago.
        return self._tracer.start_span(
            f"process {shard.stream}",
            Context(),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            links=found.links,
        )

    def tell(self, error: Exception) -> None:
        """Log that a span failed, the first time."""
        if "failed" not in self._told:
            self._told.add("failed")
            facts = {"error_type": type(error).__qualname__}
            _log.error("tracing.failed", exc_info=error, extra=facts)


class BatchSpan:
    """The span of one batch: current inside, ended behind. What is raised passes through."""

    __slots__ = ("_batch", "_span", "_spans", "_token")

    def __init__(self, spans: Spans, batch: Batch | AsyncBatch) -> None:
        self._spans = spans
        self._batch = batch
        self._span: Span | None = None
        self._token: Token[Context] | None = None

    def __enter__(self) -> None:
        self._span = self._spans.begin(self._batch)
        if self._span is not None:
            self._token = contexts.attach(trace.set_span_in_context(self._span))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            contexts.detach(self._token)
        if self._span is None:
            return
        try:
            try:
                if error is not None:
                    _note(self._span, error)
            finally:
                self._span.end()
        except Exception as bug:  # noqa: BLE001 - as when it began
            self._spans.tell(bug)


def _note(span: Span, error: BaseException) -> None:
    """Say what ended it; what is no failure of the processor is no error."""
    if not isinstance(error, Exception) or is_lease_lost(error):
        span.set_attribute("kcl.ended_by", type(error).__qualname__)
        return
    root = root_of(error)
    name = type(root).__qualname__
    if root is not error:
        failed: RecordFailed = error  # type: ignore[assignment]  # nothing else has a root
        span.set_attribute("kcl.position.failed", str(failed.position))
    span.set_attribute("error.type", name)
    span.set_status(Status(StatusCode.ERROR, name))
    span.record_exception(error)  # last: it asks the error for its text, and that may raise
