"""Where do Kinesis and DynamoDB come from when there is no AWS? From here, on 127.0.0.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kcl_py.local.engine import Engine

__all__ = ["Engine"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    # The simulator imports the models below this package and wants no server with them.
    if name == "Engine":
        from kcl_py.local import engine  # noqa: PLC0415

        return engine.Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
