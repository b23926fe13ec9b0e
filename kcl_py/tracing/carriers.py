"""How does a context of a trace travel in a record? In its data: a record has no headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from opentelemetry import propagate

from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    from kcl_py.records import Record
    from kcl_py.tracing.links import ContextOf


def inject(document: dict[str, Any], *, field: str | None = None) -> dict[str, Any]:
    """Put the current context into a document that becomes a record, and return the document.

    Nothing is added where no span is current.

    Args:
        document: Its keys become `traceparent` and the like, as the program's propagators say.
        field: Put them into an object of that name instead.
    """
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    if field is None:
        document.update(carrier)
    elif carrier:
        document[field] = carrier
    return document


def context_in_json(field: str = "traceparent") -> ContextOf:
    """Return what finds the context in records of JSON, for `traced(context_of=)`.

    Args:
        field: Of the outermost object: a text, as `inject` writes it (`tracestate` beside it counts
            too), or an object, as `inject(field=)` does. The rest of the record is not decoded.

    Raises:
        ConfigError: No field of that name can be looked for.
    """
    names = {"found": field, "state": "tracestate"}
    fields = [("found", str | dict[str, Any] | None, None), ("state", str | None, None)]
    try:
        kind = msgspec.defstruct("object", fields, rename=names)
    except ValueError:
        raise ConfigError(
            f"field = {field!r} cannot be looked for; use another name than tracestate, without "
            "quotation marks, backslashes and control characters"
        ) from None

    def context_of(record: Record) -> Mapping[str, str] | None:
        document: Any = record.json(kind)
        found = document.found
        if not isinstance(found, str):
            return found if found is None else dict(found)
        state = document.state
        return {field: found} if state is None else {field: found, "tracestate": state}

    return context_of
