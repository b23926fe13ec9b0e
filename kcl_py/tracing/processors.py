"""How is a processor traced, whatever form it has? One around it, which adds a span to a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kcl_py._config_checks import check_count
from kcl_py.errors import ConfigError
from kcl_py.processor import (
    AnyProcessor,
    AsyncRecordProcessor,
    Checkpointing,
    ProcessorLike,
    ProcessorMaker,
    RecordProcessor,
    classify,
)
from kcl_py.processor.one_record import is_async
from kcl_py.tracing.links import LINKS_MAX, ContextOf, Links
from kcl_py.tracing.spans import Spans

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from kcl_py.processor import AsyncBatch, AsyncShardContext, Batch, ShardContext

_LINKS_MOST = 10_000


def traced(
    processor: ProcessorLike,
    *,
    context_of: ContextOf | None = None,
    tracer_provider: TracerProvider | None = None,
    links_max: int = LINKS_MAX,
) -> Callable[[], AnyProcessor]:
    """Make each batch that a processor is given a span. For `Worker(processor=)` and `kcl run`.

    Args:
        processor: Whatever `Worker(processor=)` takes.
        context_of: Finds the producer's context in a record; the span is linked to each that it
            finds. What it raises is logged and costs nothing but a link. None: no record is looked
            at.
        tracer_provider: None: the global one.
        links_max: So many links of one span at most; an attribute says how many records were not
            looked at for that. More than 128 need a higher limit of the SDK, too.

    Raises:
        ConfigError: An argument is wrong; the message names it.
    """
    _check(context_of, tracer_provider)
    check_count("links_max", links_max, low=1, high=_LINKS_MOST)
    maker = classify(processor)
    links = None if context_of is None else Links(context_of, links_max)
    spans = Spans(tracer_provider, links)

    def make() -> AnyProcessor:
        made = maker.make()
        if isinstance(made, AsyncRecordProcessor):
            return _AsyncTraced(made, spans)
        return _Traced(made, spans)

    return ProcessorMaker(maker.name, make, is_async=maker.is_async)


def _check(context_of: object, tracer_provider: object) -> None:
    if context_of is not None and (not callable(context_of) or is_async(context_of)):
        raise ConfigError(
            f"context_of = {context_of!r} is no plain function; give a function of one record that "
            "returns a mapping, or None"
        )
    if tracer_provider is not None and not hasattr(tracer_provider, "get_tracer"):
        raise ConfigError(
            f"tracer_provider = {tracer_provider!r} has no get_tracer; give a TracerProvider of "
            "OpenTelemetry, or leave it out for the global one"
        )


class _Traced(RecordProcessor):
    def __init__(self, inner: RecordProcessor, spans: Spans) -> None:
        self._inner = inner
        self._spans = spans

    @property
    def checkpointing(self) -> Checkpointing:  # type: ignore[override]  # asked of the object
        return self._inner.checkpointing

    @property
    def idle_after(self) -> float | None:  # type: ignore[override]  # asked of the object
        return self._inner.idle_after

    def initialize(self, shard: ShardContext) -> None:
        self._inner.initialize(shard)

    def process_records(self, batch: Batch) -> None:
        with self._spans.around(batch):
            self._inner.process_records(batch)

    def shutdown_requested(self, shard: ShardContext) -> None:
        self._inner.shutdown_requested(shard)

    def shard_ended(self, shard: ShardContext) -> None:
        self._inner.shard_ended(shard)

    def lease_lost(self, shard: ShardContext) -> None:
        self._inner.lease_lost(shard)

    def close(self) -> None:
        self._inner.close()


class _AsyncTraced(AsyncRecordProcessor):
    def __init__(self, inner: AsyncRecordProcessor, spans: Spans) -> None:
        self._inner = inner
        self._spans = spans

    @property
    def checkpointing(self) -> Checkpointing:  # type: ignore[override]  # asked of the object
        return self._inner.checkpointing

    @property
    def idle_after(self) -> float | None:  # type: ignore[override]  # asked of the object
        return self._inner.idle_after

    async def initialize(self, shard: AsyncShardContext) -> None:
        await self._inner.initialize(shard)

    async def process_records(self, batch: AsyncBatch) -> None:
        with self._spans.around(batch):
            await self._inner.process_records(batch)

    async def shutdown_requested(self, shard: AsyncShardContext) -> None:
        await self._inner.shutdown_requested(shard)

    async def shard_ended(self, shard: AsyncShardContext) -> None:
        await self._inner.shard_ended(shard)

    async def lease_lost(self, shard: AsyncShardContext) -> None:
        await self._inner.lease_lost(shard)

    async def close(self) -> None:
        await self._inner.close()
