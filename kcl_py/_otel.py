"""Is OpenTelemetry installed, and does anybody listen? It is an extra, and the program's to set up.

Nothing here imports it: whoever does not ask for it does not pay for it.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

EXTRA: Final = "pip install 'kcl-py[otel]'"
"""What installs it."""

SCOPE: Final = "kcl_py"
"""Name of our instrumentation scope, for views and samplers."""

_OF_THE_API: Final = (["opentelemetry", "metrics"], ["opentelemetry", "trace"])


def is_installed() -> bool:
    """Say whether its API can be imported."""
    return find_spec("opentelemetry") is not None and all(
        find_spec(".".join(each)) is not None for each in _OF_THE_API
    )


def is_heard(provider: object) -> bool:
    """Say whether a provider is that of an SDK.

    Those of the API itself, which hold the place until one is configured, let everything fall.
    """
    return type(provider).__module__.split(".")[:2] not in _OF_THE_API
