"""How far is a long run? A bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Told(Protocol):
    """Is told how far it is."""

    def __call__(self, done: int, what: str = "") -> None:
        """So many are done, and this comes now (or came last)."""


@contextmanager
def bar(title: str, total: int) -> Iterator[Told]:
    """Yield what is told how many of `total` are done; drawn on stderr if a person looks at it.

    Needs the extra `cli`; without it, or without a terminal, nothing is drawn.
    """
    try:
        from rich.console import Console  # noqa: PLC0415 - an extra
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )
    except ImportError:
        yield _nothing
        return
    if not sys.stderr.isatty():
        yield _nothing
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as shown:
        task = shown.add_task(title, total=total)

        def tell(done: int, what: str = "") -> None:
            shown.update(task, completed=done, description=what or title)

        yield tell


def _nothing(done: int, what: str = "") -> None:
    """Draw nothing."""
