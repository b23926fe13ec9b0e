"""Who asks for notices while a worker runs, and tells it to drain? One thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from kcl_py.errors import ConfigError
from kcl_py.hosts.lifecycle import Hook
from kcl_py.hosts.notices import NoAnswer, Notice, NoticeSource
from kcl_py.hosts.watching import AnsweredAgain, Finding, Seen, Unanswered, Watching

FINISH_SECONDS: Final = 4.5
"""How long an end waits for the hook to be told. Below what a stop grants all companions."""

_IDLE_SECONDS: Final = 60.0

_log = logging.getLogger(__name__)


class NoticeWatch:
    """Asks each source when it is due. Never ends a worker but by draining it.

    Args:
        sources: Whom to ask.
        drain: Called at most once, in the thread of the watch.
        hook: Told once a drain that a lifecycle notice began, or met, is over.
        drain_on_rebalance: Whether the early hint drains.
        now: Seconds on a clock that never jumps.

    Raises:
        ConfigError: Two sources have one name.
    """

    def __init__(
        self,
        sources: Sequence[NoticeSource],
        drain: Callable[[], None],
        *,
        hook: Hook | None = None,
        drain_on_rebalance: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources = {source.name: source for source in sources}
        if len(self._sources) < len(sources):
            names = ", ".join(source.name for source in sources)
            raise ConfigError(f"two sources of notices have one name ({names}); rename one")
        self._drain = drain
        self._hook = hook
        self._now = now
        self._watching = Watching(list(self._sources), now(), drain_on_rebalance=drain_on_rebalance)
        self._finishing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="kcl-notices", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        _log.info("notices.watched", extra={"sources": ", ".join(self._sources)})
        self._thread.start()

    def finish(self) -> None:
        """The drain is over: ask no more, and tell the hook. Waits a few seconds at most."""
        self._finishing.set()
        self._thread.join(FINISH_SECONDS)
        if self._thread.is_alive():
            _log.error("notices.unfinished", extra={"waited": FINISH_SECONDS})

    def look(self) -> None:
        """Ask who is due, each once, and act on what is said.

        A drain makes all of them due, and they are asked however soon it is over: the hook of an
        instance that is taken back waits for us as well.
        """
        asked: set[str] = set()
        while waiting := [n for n in self._watching.due(self._now()) if n not in asked]:
            if self._finishing.is_set() and not self._watching.is_draining:
                return
            asked.add(waiting[0])
            for finding in self._ask(waiting[0]):
                self._act(finding)
        if self._hook is not None:
            self._hook.beat(self._now())

    def _work(self) -> None:
        try:
            while not self._finishing.wait(self._patience()):
                self.look()
            if self._hook is not None:
                self._hook.complete()
        except Exception as error:  # noqa: BLE001 - it must not end the worker
            # A bug of ours: SIGTERM still drains, and somebody should read this.
            _log.error("notices.broken", exc_info=error, extra={"problem": str(error)})

    def _patience(self) -> float:
        beat = None if self._hook is None else self._hook.next_beat
        times = [at for at in (self._watching.next_due, beat) if at is not None]
        return max(min(times) - self._now(), 0.0) if times else _IDLE_SECONDS

    def _ask(self, name: str) -> list[Finding]:
        try:
            notice = self._sources[name].ask()
            if notice is not None and not isinstance(notice, Notice):
                raise NoAnswer(f"{notice!r:.200} is no Notice; return one, or None")  # noqa: TRY301 - as if it had
        except NoAnswer as error:
            return self._watching.failed(name, self._now(), str(error))
        except Exception as error:  # noqa: BLE001 - a bug of one source must not silence the others
            problem = f"{type(error).__name__}: {error}"
            return self._watching.failed(name, self._now(), problem)
        return self._watching.answered(name, self._now(), notice)

    def _act(self, finding: Finding) -> None:
        match finding:
            case Seen(notice, drains):
                self._tell(notice, drains=drains)
                if self._hook is not None and notice.kind == "lifecycle":
                    self._hook.armed(self._now())
                if drains:
                    self._drain()
            case Unanswered(source, problem, wait):
                failure = {"source": source, "problem": problem, "wait": wait}
                _log.warning("notices.unanswered", extra=failure)
            case AnsweredAgain(source):
                _log.info("notices.answered_again", extra={"source": source})

    def _tell(self, notice: Notice, *, drains: bool) -> None:
        said = {"kind": notice.kind, "action": notice.action, "due": notice.at, "drains": drains}
        _log.warning("notice.seen", extra=said)
