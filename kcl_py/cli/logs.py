"""How do log lines reach stderr? The library configures no logging; a command does, here."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Any

import structlog

from kcl_py.cli.options import LogFormat, LogLevel, Shared

_DEFAULT_LEVEL = LogLevel.WARNING


def configure(shared: Shared, *, default: LogLevel = _DEFAULT_LEVEL) -> None:
    """Send the log lines of the library, and warnings, to stderr in the form that was asked for."""
    level = LogLevel.DEBUG if shared.debug else shared.log_level or default
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(shared),
            ],
        )
    )
    ours = logging.getLogger("kcl_py")
    ours.handlers[:] = [handler]
    ours.setLevel(level.upper())
    ours.propagate = False
    warnings.showwarning = _show_warning


def _rendering(shared: Shared) -> list[Any]:
    if shared.log_format is LogFormat.JSON:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    from kcl_py.cli.output import wants_color

    return [structlog.dev.ConsoleRenderer(colors=wants_color(shared, sys.stderr))]


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    """One line for whoever typed the command; where the library warned from is no news to them."""
    del category, filename, lineno, file, line
    sys.stderr.write(f"warning: {message}\n")
