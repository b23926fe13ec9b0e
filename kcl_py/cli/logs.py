"""How do log lines reach stderr? The library configures no logging; a command does, here."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import TYPE_CHECKING, Any

from kcl_py.cli.options import LogFormat, LogLevel, Shared

if TYPE_CHECKING:
    import structlog

_DEFAULT_LEVEL = LogLevel.WARNING


def configure(shared: Shared) -> None:
    """Send the log lines of the library, and warnings, to stderr in the form that was asked for.

    Whoever runs a worker calls `configure_worker` too.
    """
    _send(shared, _DEFAULT_LEVEL)


def configure_worker(shared: Shared, *, default: LogLevel = _DEFAULT_LEVEL) -> None:
    """Do the same for lines of a worker, which have facts and go through structlog."""
    import structlog

    structlog.configure(
        processors=[*_before(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    _send(shared, default)


def _send(shared: Shared, default: LogLevel) -> None:
    level = LogLevel.DEBUG if shared.debug else shared.log_level or default
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LateFormatter(shared))
    ours = logging.getLogger("kcl_py")
    ours.handlers[:] = [handler]
    ours.setLevel(level.upper())
    ours.propagate = False
    warnings.showwarning = _Warnings()


class _LateFormatter(logging.Formatter):
    """Made when there is something to say: it costs an eighth of a command that says nothing."""

    def __init__(self, shared: Shared) -> None:
        super().__init__()
        self._shared = shared
        self._made: structlog.stdlib.ProcessorFormatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        """Write a line."""
        if self._made is None:
            self._made = _formatter(self._shared)
        return self._made.format(record)


def _formatter(shared: Shared) -> structlog.stdlib.ProcessorFormatter:
    import structlog

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_before(), structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_rendering(shared),
        ],
    )


def _before() -> list[Any]:
    import structlog

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _rendering(shared: Shared) -> list[Any]:
    import structlog

    if shared.log_format is LogFormat.JSON:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    from kcl_py.cli.output import wants_color

    return [structlog.dev.ConsoleRenderer(colors=wants_color(shared, sys.stderr))]


class _Warnings:
    """One line for whoever typed the command, once; from where it came is no news to them."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,
        line: str | None = None,
    ) -> None:
        """Write it."""
        del category, filename, lineno, file, line
        text = str(message)
        if text not in self._told:
            self._told.add(text)
            sys.stderr.write(f"warning: {text}\n")
