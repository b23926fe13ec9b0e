"""What is shown while it runs? A bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TextIO

if TYPE_CHECKING:
    from types import TracebackType


class Progress:
    """A bar with the name of what is being done; without `rich`, a line that is overwritten."""

    def __init__(self, out: TextIO, total: int) -> None:
        self._out = out
        self._total = total
        self._done = 0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        """Take the last line of the terminal, if there is one."""
        if self._out.isatty():
            try:
                from rich.console import Console  # noqa: PLC0415 - an extra, and slow to import
                from rich.progress import Progress as Bar  # noqa: PLC0415
            except ImportError:
                return self
            self._bar = Bar(console=Console(file=self._out), transient=True)
            self._task = self._bar.add_task("", total=self._total)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the line back."""
        if self._bar is not None:
            self._bar.stop()
        elif self._out.isatty():
            self._out.write("\r\x1b[K")

    def next(self, what: str) -> None:
        """The one before is done; this comes now."""
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, description=what, refresh=True)
        elif self._out.isatty():
            self._out.write(f"\r\x1b[K{self._done}/{self._total} {what}")
            self._out.flush()
        self._done += 1
