"""Which contexts of producers are in a batch? Each once, a bounded number, and no record is lost.

Source: OpenTelemetry's semantic conventions for messaging: the span of a batch links to the
contexts in which its messages were made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, get_current_span

if TYPE_CHECKING:
    from kcl_py.records import Record

ContextOf: TypeAlias = Callable[["Record"], Mapping[str, str] | None]
"""Finds what a producer put into a record, as `{"traceparent": ...}`; None: nothing is there."""

LINKS_MAX: Final = 128
"""Source: OpenTelemetry's SDK, LinkCountLimit; it drops those beyond its own limit."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Found:
    """What a look at a batch brought.

    Attributes:
        links: One for each context, in the order of their first records.
        failed: So many records' contexts could not be read.
        left_out: So many records were not looked at any more, since there were links enough.
    """

    links: list[Link] = field(default_factory=list)
    failed: int = 0
    left_out: int = 0


class Links:
    """Looks for contexts. Thread-safe.

    Args:
        links_max: So many of one batch at most.
    """

    def __init__(self, context_of: ContextOf, links_max: int) -> None:
        self._context_of = context_of
        self._links_max = links_max
        self._told: set[str] = set()

    def find(self, lease_key: str, records: Sequence[Record]) -> Found:
        """Look at the records, in order, until there are links enough. Raises nothing.

        Args:
            lease_key: Of their shard, of which a failure is told once.
        """
        found = Found()
        seen: set[tuple[int, int]] = set()
        before: Mapping[str, str] | None = None
        for index, record in enumerate(records):
            if len(found.links) == self._links_max:
                found.left_out = len(records) - index
                break
            try:
                carrier = self._context_of(record)
                if carrier is None or carrier == before:
                    continue
                context = _span_context(carrier)
            except Exception as error:  # noqa: BLE001 - of the user's; a record matters more
                found.failed += 1
                self._tell(lease_key, record, error)
                continue
            before = carrier
            identity = (context.trace_id, context.span_id)
            if context.is_valid and identity not in seen:
                seen.add(identity)
                attributes = {"messaging.message.id": str(record.position)}
                found.links.append(Link(context, attributes))
        return found

    def _tell(self, lease_key: str, record: Record, error: Exception) -> None:
        """Say so once for each shard; what the exception says may quote data."""
        if lease_key in self._told:
            return
        self._told.add(lease_key)
        facts = {
            "lease_key": lease_key,
            "position": str(record.position),
            "error_type": type(error).__qualname__,
            "raised_at": _place(error),
        }
        _log.warning("tracing.context_failed", extra=facts)


def _span_context(carrier: Mapping[str, str]) -> SpanContext:
    if not isinstance(carrier, Mapping):
        kind = type(carrier).__qualname__
        raise TypeError(f"context_of returned {kind}; return a mapping, or None for no context")
    # Into an empty context, so that nothing else is found.
    return get_current_span(propagate.extract(carrier, Context())).get_span_context()


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
