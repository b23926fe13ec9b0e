"""How far has a producing command come? A bar on a terminal, and nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self

from kcl_py._words import counted
from kcl_py.cli.options import Output, Shared
from kcl_py.cli.output import console

if TYPE_CHECKING:
    from rich.progress import Progress

    from kcl_py.cli.producing.undelivered import Undeliverable
    from kcl_py.producer.counters import ProducerCounters


class Board(AbstractContextManager["Board"]):
    """Shows what it is told.

    Args:
        total: Bytes or records of the input; None: nobody knows.
        done: How many of them were read; None: count records that were delivered.
    """

    def __init__(
        self, shared: Shared, what: str, *, total: int | None, done: Callable[[], int] | None
    ) -> None:
        self._progress: Progress | None = None
        self._done = done
        if sys.stderr.isatty() and shared.form is Output.TABLE:
            self._progress = _progress(shared)
            self._task = self._progress.add_task(what, total=total, told="")

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, counts: ProducerCounters, undeliverable: Undeliverable) -> None:
        """Show this from now on."""
        if self._progress is None:
            return
        seconds = self._progress.tasks[0].elapsed or 0.0
        rate = counts.records / seconds if seconds else 0.0
        told = f"{counted(counts.records, 'record')}, {rate:,.0f}/s, {undeliverable.count:,} failed"
        if undeliverable.skipped:
            told += f", {undeliverable.skipped:,} left out"
        if counts.throttles:
            told += f", {counts.throttles:,} throttled"
        completed = counts.records if self._done is None else self._done()
        self._progress.update(self._task, completed=completed, told=told)


def _progress(shared: Shared) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console(shared, sys.stderr), transient=True)
