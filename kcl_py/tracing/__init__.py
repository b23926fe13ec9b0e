"""How is each batch a span of OpenTelemetry, linked to what its producers did? An extra."""

from __future__ import annotations

from kcl_py._otel import EXTRA, is_installed

if not is_installed():
    raise ImportError(f"kcl_py.tracing needs OpenTelemetry; install it with: {EXTRA}")

from kcl_py.tracing.carriers import context_in_json, inject
from kcl_py.tracing.links import ContextOf
from kcl_py.tracing.processors import traced

__all__ = ["ContextOf", "context_in_json", "inject", "traced"]
