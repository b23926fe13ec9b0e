"""How do the core's reports reach the log and the user's `on_event`, without holding anybody up?"""

from __future__ import annotations

import contextlib
import logging
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import structlog

from kcl_py.companions import Companion
from kcl_py.core.commands import Report
from kcl_py.shell.threads import OnCrash, spawn
from kcl_py.status import WorkerEvent

OnEvent: TypeAlias = Callable[[WorkerEvent], None]

WAITING_MAX: Final = 10_000
"""Reports that may wait for a slow log or `on_event`; more are dropped and counted."""

FLUSH_SECONDS: Final = 2.0
"""How long a stop waits for a slow log."""

STUCK_SECONDS: Final = 30.0
"""A listener that takes longer for one event is told of: the log, and all others, wait for it."""

COMPANIONS_SECONDS: Final = 5.0
"""How long a stop waits in addition for companions that close, as the last metrics are sent."""

_RESERVED: Final = frozenset(logging.makeLogRecord({}).__dict__) | {
    # Set by logging later on, or by structlog's usual processors.
    "message", "asctime", "taskName", "event", "level", "logger", "timestamp", "exception", "stack",
}  # fmt: skip

_STDLIB: Final = logging.getLogger("kcl_py.worker")


def _one_line(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> str:
    """Spell an event as logging's own message: its name, then its facts."""
    return " ".join([fields.pop("event"), *(f"{k}={_spell(v)}" for k, v in fields.items())])


def _spell(value: object) -> str:
    text = str(value)
    return repr(text) if text == "" or any(letter.isspace() for letter in text) else text


_LOG: Final = structlog.wrap_logger(_STDLIB)
_PLAIN_LOG: Final = structlog.wrap_logger(
    _STDLIB,
    processors=[structlog.stdlib.filter_by_level, _one_line],
    wrapper_class=structlog.stdlib.BoundLogger,
)
"""For programs that did not configure structlog; its defaults are made for a terminal."""


def log_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """Rename what a log record has of its own (`name` becomes `name_`), else logging raises."""
    return {f"{key}_" if key in _RESERVED else key: value for key, value in fields.items()}


def all_stacks() -> str:
    """Where every thread of the process is now. Code locations only, no values."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = [
        f"Thread {names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()  # noqa: SLF001 - documented, despite its name
    ]
    return "\n".join(parts)


class _Line(NamedTuple):
    """One report that waits; is_heard: `on_event` is told of it, too."""

    at: float
    report: Report
    is_heard: bool


class _Call(NamedTuple):
    """A call of the user's code that is under way: whose, for which event, and since when."""

    listener: str
    during: str
    since: float


class Reporter:
    """One thread that logs and calls `on_event`, so that a blocked log never delays a renewal.

    Args:
        facts: Fields that every line carries: worker, application, stream.
        now: The worker's clock, for `WorkerEvent.at`.
        companions: Have been started; hear everything, and are closed at the end.
    """

    def __init__(
        self,
        facts: Mapping[str, object],
        now: Callable[[], float],
        on_event: OnEvent | None,
        on_crash: OnCrash,
        companions: Sequence[Companion] = (),
    ) -> None:
        self._facts = log_fields(facts)
        self._now = now
        self._on_event = on_event
        self._companions = companions
        self._failed: set[int] = set()  # listeners, by id, of which a failure was told
        self._waiting: queue.Queue[_Line | None] = queue.Queue(WAITING_MAX)
        self._dropped = 0
        self._calling: _Call | None = None
        self._stuck: set[str] = set()  # listeners of which it was told that they hang
        self._thread = spawn("kcl-report", self._work, on_crash)

    @property
    def is_current_thread(self) -> bool:
        """Say whether the caller is `on_event`."""
        return threading.current_thread() is self._thread

    def report(self, report: Report) -> None:
        """Log it and hand it to `on_event`, soon. Never blocks."""
        self._put(_Line(self._now(), report, is_heard=True))

    def dump_stacks(self, key: str | None, tasks: str) -> None:
        """Report where every thread is, and every task of the loop: user code hangs, or a signal.

        Args:
            key: Of the shard whose code hangs.
        """
        stacks = all_stacks() + tasks
        self.report(Report("worker.stacks_dumped", "warning", key, {"stacks": stacks}))

    def crashed(self, thread: str, error: BaseException) -> None:
        """Log a bug of ours with its traceback. Blocks only where the log's thread has ended."""
        trace = "".join(traceback.format_exception(error))
        report = Report(
            "thread.crashed", "error", None, {"thread_name": thread, "traceback": trace}
        )
        if self._thread.is_alive() and not self.is_current_thread:
            self._put(_Line(self._now(), report, is_heard=False))
        else:
            self._log(report)

    def close(self) -> None:
        """Wait a bounded time until everything reported so far is out, and end the thread."""
        patience = FLUSH_SECONDS
        with contextlib.suppress(queue.Full):  # somebody has been called for very long
            self._waiting.put(None, timeout=FLUSH_SECONDS)
            patience += COMPANIONS_SECONDS if self._companions else 0.0
            if not self.is_current_thread:
                self._thread.join(patience)
        calling = self._calling
        if calling is not None and self._thread.is_alive() and not self.is_current_thread:
            self._tell_unfinished(calling.listener, patience)

    def _tell_unfinished(self, name: str, waited: float) -> None:
        """Say who does not end, and so keeps those behind it from sending what they still have."""

        def write() -> None:
            self._write("companion.unfinished", "warning", {"companion": name, "waited": waited})

        self._beside(write).join(FLUSH_SECONDS)

    def _tell_stuck(self, calling: _Call) -> None:
        """Say who keeps everybody else, and the log, from hearing what is reported now."""
        waited = round(self._now() - calling.since, 1)

        def write() -> None:
            facts = {"listener": calling.listener, "during": calling.during, "waited": waited}
            self._write("listener.hung", "error", facts)

        self._stuck.add(calling.listener)
        with contextlib.suppress(RuntimeError):  # no thread is to be had
            self._beside(write)

    def _beside(self, write: Callable[[], None]) -> threading.Thread:
        """Write in another thread: what hangs may wait for the log itself."""
        telling = threading.Thread(target=write, name="kcl-report-end", daemon=True)
        telling.start()
        return telling

    def _put(self, line: _Line) -> None:
        calling = self._calling
        if (
            calling is not None
            and line.at - calling.since > STUCK_SECONDS
            and calling.listener not in self._stuck
        ):
            self._tell_stuck(calling)
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def _work(self) -> None:
        while (line := self._waiting.get()) is not None:
            self._log(line.report)
            if line.is_heard:
                self._tell(line)
            if self._dropped:
                count, self._dropped = self._dropped, 0
                self._write("reports.dropped", "warning", {"count": count})
        for companion in self._companions:
            self._call_companion(companion, "close", companion.close)

    def _log(self, report: Report) -> None:
        fields = dict(report.fields)
        if report.key is not None:
            fields["lease_key"] = report.key
        self._write(report.name, report.level, fields)

    def _tell(self, line: _Line) -> None:
        report = line.report
        if self._on_event is None and not self._companions:
            return
        event = WorkerEvent(
            name=report.name, at=line.at, lease_key=report.key, fields=dict(report.fields)
        )
        if self._on_event is not None:
            self._calling = _Call("on_event", report.name, self._now())
            try:
                self._on_event(event)
            except BaseException as error:  # noqa: BLE001 - a listener of the user's must not stop the worker
                if trace := self._trace_once(self._on_event, error):
                    self._write(
                        "on_event.failed", "error", {"during": report.name, "traceback": trace}
                    )
            self._calling = None
        for companion in self._companions:
            self._call_companion(companion, report.name, partial(companion.hear, event))

    def _call_companion(
        self, companion: Companion, during: str, call: Callable[[], object]
    ) -> None:
        name = type(companion).__qualname__
        self._calling = _Call(name, during, self._now())
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - what runs beside the worker must not stop it
            if trace := self._trace_once(companion, error):
                self._write(
                    "companion.failed",
                    "error",
                    {"companion": name, "during": during, "traceback": trace},
                )
        self._calling = None

    def _trace_once(self, listener: object, error: BaseException) -> str | None:
        """The traceback of a listener's first failure; later ones are not logged."""
        if id(listener) in self._failed:
            return None
        self._failed.add(id(listener))
        return "".join(traceback.format_exception(error))

    def _write(self, name: str, level: str, fields: Mapping[str, Any]) -> None:
        try:
            log = _LOG if structlog.is_configured() else _PLAIN_LOG
            write: Callable[..., object] = getattr(log, level)
            write(name, **{**log_fields(fields), **self._facts})
        except BaseException:  # noqa: BLE001 - the user's log must not stop the worker
            # Say so where that may still work; `on_event` hears everything all the same.
            with contextlib.suppress(BaseException):
                _STDLIB.exception("logging %s failed", name)
