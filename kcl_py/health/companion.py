"""How does a worker's health reach a file and a port? A thread looks; others get what it saw."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from kcl_py._config_observe import HealthConfig
from kcl_py.companions import Watched
from kcl_py.errors import ConfigError
from kcl_py.health.beat import GOOD_SECONDS, Beat, remove, write_beat
from kcl_py.health.server import Answer, Server
from kcl_py.health.verdict import Verdict, judge
from kcl_py.status import WorkerEvent, WorkerStatus

BEAT_SECONDS: Final = 1.0
BEAT_SECONDS_MAX: Final = 4.0
LOOKS_PER_COST: Final = 50.0
"""With many shards a look costs the control thread milliseconds: it looks less often then."""

NEWS: Final = frozenset(
    {"worker.ready", "worker.leaving", "worker.failed", "processor.hung", "shard.paused"}
)
"""Events after which it looks at once."""
JOIN_SECONDS: Final = 3.0
"""`status()` waits 2 s at most."""

METRICS_KIND: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Source: Prometheus' text exposition format."""

_log = logging.getLogger(__name__)


class Health:
    """A companion: heartbeat file, HTTP server, or both.

    Args:
        now: The worker's clock; that of the heartbeat file, too.
        exposition: What /metrics says of a status.
    """

    def __init__(
        self,
        config: HealthConfig,
        *,
        now: Callable[[], float],
        exposition: Callable[[WorkerStatus], str],
    ) -> None:
        self._config = config
        self._now = now
        self._exposition = exposition
        self._paths: Mapping[str, Callable[[], Answer]] = MappingProxyType(
            {
                "/livez": lambda: self._answer(lambda verdict: verdict.alive),
                "/readyz": lambda: self._answer(lambda verdict: verdict.ready),
                "/statusz": self._statusz,
                "/metrics": lambda: Answer(200, exposition(self._seen), METRICS_KIND),
            }
        )
        self._is_closing = threading.Event()
        self._has_news = threading.Event()
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._is_file_failing = False
        self._pause = BEAT_SECONDS
        self._worker: Watched
        self._seen: WorkerStatus
        self._seen_at: float

    @property
    def port(self) -> int | None:
        """Where the server listens; None: there is none."""
        return None if self._server is None else self._server.port

    # ------------------------------------------------------------------------------- as a companion

    def start(self, worker: Watched) -> None:
        """Write the first beat and listen.

        Raises:
            ConfigError: The file cannot be written, or the port not be had.
        """
        self._worker = worker
        self._look()
        file, port = self._config.file, self._config.port
        if file is not None:
            try:
                write_beat(file, self._beat())
            except OSError as error:
                raise ConfigError(
                    f"health.file = {file!r} cannot be written ({error.strerror}); name a file in "
                    "a directory that this process may write to"
                ) from None
        if port is not None:
            self._server = Server(self._config.host, port, self._at, self._now)
        self._thread = threading.Thread(target=self._work, name="kcl-heart", daemon=True)
        self._thread.start()

    def hear(self, event: WorkerEvent) -> None:
        """Look at once after what changes the answers; `status()` says the rest."""
        if event.name in NEWS:
            self._has_news.set()

    def close(self) -> None:
        """Stop, and take the file away: there is no worker any more."""
        self._is_closing.set()
        self._has_news.set()
        if self._server is not None:
            self._server.close()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)
        if self._config.file is not None:
            remove(self._config.file)

    # ------------------------------------------------------------------------------------ the heart

    def _work(self) -> None:
        try:
            while True:
                self._has_news.wait(self._pause)
                self._has_news.clear()
                if self._is_closing.is_set():
                    return
                self._look()
                if self._config.file is not None and not self._is_closing.is_set():
                    self._write(self._config.file)
        except Exception as error:  # noqa: BLE001 - a bug of ours
            # The file and /livez show it: nobody looks any more.
            bug = {"error_type": type(error).__qualname__}
            _log.error("health.failed", exc_info=True, extra=bug)

    def _look(self) -> None:
        self._seen_at = self._now()
        self._seen = self._worker.status()
        cost = self._now() - self._seen_at
        self._pause = min(max(BEAT_SECONDS, LOOKS_PER_COST * cost), BEAT_SECONDS_MAX)

    def _write(self, file: str) -> None:
        try:
            write_beat(file, self._beat())
            self._is_file_failing = False
        except OSError as error:
            if not self._is_file_failing:
                facts = {"file": file, "problem": str(error.strerror)}
                _log.warning("health.file_failed", extra=facts)
            self._is_file_failing = True

    def _beat(self) -> Beat:
        verdict = self._verdict()
        return {
            "at": self._now(),
            "good_for": GOOD_SECONDS,
            "alive": verdict.alive,
            "ready": verdict.ready,
            "why": verdict.why,
            "worker_id": self._seen.worker_id,
            "state": self._seen.state,
            "pid": os.getpid(),
        }

    # ---------------------------------------------------------------------------------- the answers

    def _verdict(self) -> Verdict:
        return judge(self._seen, self._seen_at, self._now())

    def _at(self, path: str) -> Answer:
        give = self._paths.get(path)
        if give is None:
            return Answer(404, f"there is nothing here; there are {', '.join(self._paths)}\n")
        return give()

    def _answer(self, is_well: Callable[[Verdict], bool]) -> Answer:
        verdict = self._verdict()
        return Answer(200 if is_well(verdict) else 503, f"{verdict.why}\n")

    def _statusz(self) -> Answer:
        verdict = self._verdict()
        told = {
            "alive": verdict.alive,
            "ready": verdict.ready,
            "why": verdict.why,
            "age": None if self._seen.at is None else max(0.0, self._now() - self._seen.at),
            **self._seen.to_dict(),
        }
        return Answer(200, json.dumps(told) + "\n", "application/json")
