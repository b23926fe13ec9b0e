"""Who asks for notices while a worker runs, and tells it to drain? A thread, and one a question.

A question is put in a thread of its own, which ends with the answer: a source that hangs holds up
neither the others nor the end of the worker.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Final, TypeAlias

from kcl_py.errors import ConfigError
from kcl_py.hosts.lifecycle import Hook
from kcl_py.hosts.notices import NoAnswer, Notice, NoticeSource
from kcl_py.hosts.watching import AnsweredAgain, Finding, Hung, Seen, Unanswered, Watching

FINISH_SECONDS: Final = 4.5
"""How long an end waits for the hook to be told. Below what a stop grants all companions."""

LAST_SECONDS: Final = 1.5
"""How long of that a hook's drain waits for whoever is asked once more; most answer at once."""

_IDLE_SECONDS: Final = 60.0

Begin: TypeAlias = Callable[[str, Callable[[], None]], object]
"""Does something beside, under a name; returns at once."""

_log = logging.getLogger(__name__)


def in_a_thread(name: str, work: Callable[[], None]) -> None:
    """Do it in a thread of its own, which keeps no process alive."""
    threading.Thread(target=work, name=name, daemon=True).start()


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of a question; problem: why it is no answer."""

    name: str
    notice: Notice | None = None
    problem: str | None = None


class NoticeWatch:
    """Asks each source when it is due. Never ends a worker but by draining it.

    Args:
        sources: Whom to ask.
        drain: Called at most once, in the thread of the watch.
        hook: Told once a drain that a lifecycle notice began, or met, is over.
        drain_on_rebalance: Whether the early hint drains.
        now: Seconds on a clock that never jumps.
        begin: Where a question is put.

    Raises:
        ConfigError: One is no source, or two have one name.
    """

    def __init__(
        self,
        sources: Sequence[NoticeSource],
        drain: Callable[[], None],
        *,
        hook: Hook | None = None,
        drain_on_rebalance: bool = False,
        now: Callable[[], float] = time.monotonic,
        begin: Begin = in_a_thread,
    ) -> None:
        self._sources = by_name(sources)
        self._drain = drain
        self._hook = hook
        self._now = now
        self._begin = begin
        self._watching = Watching(list(self._sources), now(), drain_on_rebalance=drain_on_rebalance)
        self._mail: queue.SimpleQueue[_Answer | None] = queue.SimpleQueue()
        self._is_finishing = False
        self._thread = threading.Thread(target=self._work, name="kcl-notices", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        _log.info("notices.watched", extra={"sources": ", ".join(self._sources)})
        self._thread.start()

    def finish(self) -> None:
        """The drain is over: ask no more, and tell the hook. Waits a few seconds at most."""
        self._mail.put(None)
        self._thread.join(FINISH_SECONDS)
        if self._thread.is_alive():
            _log.error("notices.unfinished", extra={"waited": FINISH_SECONDS})

    def look(self) -> None:
        """Ask who is due, act on what has been said, and tell who hangs. Waits for nobody."""
        has_heard = True
        while has_heard and not self._is_finishing:
            for name in self._watching.due(self._now()):
                self._ask(name)
            has_heard = self._hear(0.0)
        self._act(self._watching.overdue(self._now()))
        if self._hook is not None and not self._is_finishing:
            self._hook.beat(self._now())

    def _work(self) -> None:
        try:
            while not self._is_finishing:
                self._hear(self._patience())
                self.look()
            if self._hook is not None:
                self._hear_the_last(self._hook)
                self._hook.complete()
        except Exception as error:  # noqa: BLE001 - it must not end the worker
            # A bug of ours: SIGTERM still drains, and somebody should read this.
            _log.error("notices.broken", exc_info=error, extra={"problem": str(error)})

    def _patience(self) -> float:
        beat = None if self._hook is None else self._hook.next_beat
        times = [at for at in (self._watching.next_due, beat) if at is not None]
        return max(min(times) - self._now(), 0.0) if times else _IDLE_SECONDS

    def _hear_the_last(self, hook: Hook) -> None:
        """A drain makes all of them due, and they are heard however soon it is over.

        The hook of an instance that is taken back waits for us as well. Who is not well, or takes
        too long, is not waited for.
        """
        until = self._now() + LAST_SECONDS
        while self._watching.is_draining and hook.next_beat is None:
            awaited = self._watching.awaited(self._now())
            if not awaited:
                return
            for name in self._watching.due(self._now()):
                if name in awaited:
                    self._ask(name)
            if not self._hear(max(until - self._now(), 0.0)):
                self._act([Hung(name, LAST_SECONDS) for name in awaited])
                return

    def _ask(self, name: str) -> None:
        source = self._sources[name]
        self._watching.asked(name, self._now())
        try:
            self._begin(f"kcl-notices-{name}", lambda: self._mail.put(_ask(name, source)))
        except RuntimeError as error:  # no thread is to be had
            self._mail.put(_Answer(name, problem=f"it could not be asked: {error}"))

    def _hear(self, patience: float) -> bool:
        """Take one answer, or the word to finish; False: nothing came."""
        try:
            mail = self._mail.get(timeout=patience) if patience > 0 else self._mail.get_nowait()
        except queue.Empty:
            return False
        if mail is None:
            self._is_finishing = True
        elif mail.problem is not None:
            self._act(self._watching.failed(mail.name, self._now(), mail.problem))
        else:
            self._act(self._watching.answered(mail.name, self._now(), mail.notice))
        return True

    def _act(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            match finding:
                case Seen(notice, drains):
                    self._seen(notice, drains=drains)
                case Unanswered(source, problem, wait):
                    failure = {"source": source, "problem": problem, "wait": wait}
                    _log.warning("notices.unanswered", extra=failure)
                case Hung(source, waited):
                    hanging = {"source": source, "waited": round(waited, 1)}
                    _log.warning("notices.hung", extra=hanging)
                case AnsweredAgain(source):
                    _log.info("notices.answered_again", extra={"source": source})

    def _seen(self, notice: Notice, *, drains: bool) -> None:
        said = {"kind": notice.kind, "action": notice.action, "due": notice.at, "drains": drains}
        _log.warning("notice.seen", extra=said)
        if self._hook is not None and notice.kind == "lifecycle":
            self._hook.armed(self._now())
        if drains:
            self._drain()


def by_name(sources: Sequence[NoticeSource]) -> dict[str, NoticeSource]:
    """Check what users give.

    Raises:
        ConfigError: One is no source, or two have one name.
    """
    for source in sources:
        name, ask = getattr(source, "name", None), getattr(source, "ask", None)
        is_one = isinstance(name, str) and callable(ask) and not iscoroutinefunction(ask)
        if not is_one or isinstance(source, type):
            raise ConfigError(
                f"{source!r:.200} is no source of notices; give an object with a name, which is a "
                "text, and a plain function ask()"
            )
    found = {source.name: source for source in sources}
    if len(found) < len(sources):
        names = ", ".join(source.name for source in sources)
        raise ConfigError(f"two sources of notices have one name ({names}); rename one")
    return found


def _ask(name: str, source: NoticeSource) -> _Answer:
    """Ask a source; whatever it raises is no answer, and silences no other."""
    try:
        notice = source.ask()
        if notice is not None and not _is_notice(notice):
            return _Answer(name, problem=f"{notice!r:.200} is no Notice; return one, or None")
    except NoAnswer as error:
        return _Answer(name, problem=str(error))
    except BaseException as error:  # noqa: BLE001 - SystemExit, too, would take the answer along
        return _Answer(name, problem=f"{type(error).__name__}: {error}")
    return _Answer(name, notice)


def _is_notice(notice: object) -> bool:
    return isinstance(notice, Notice) and isinstance(notice.kind, str)
