"""How does a worker's health reach a file and a port? A thread looks; others get what it saw."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from kcl_py._config_observe import HealthConfig
from kcl_py.companions import Watched
from kcl_py.errors import ConfigError
from kcl_py.health.beat import GOOD_SECONDS, Beat, remove, write_beat
from kcl_py.health.port import PortTaken
from kcl_py.health.server import Answer, Server
from kcl_py.health.statusz import statusz
from kcl_py.health.verdict import Verdict, judge
from kcl_py.status import WorkerEvent, WorkerStatus

BEAT_SECONDS: Final = 1.0
BEAT_SECONDS_MAX: Final = 4.0
LOOKS_PER_COST: Final = 50.0
"""With many shards a look costs the control thread milliseconds: it looks less often then."""

NEWS: Final = frozenset(
    {
        *("worker.ready", "worker.leaving", "worker.failed", "processor.hung"),
        *("shard.paused", "shard.halted", "shard.resumed"),
    }
)
"""Events after which it looks at once."""
JOIN_SECONDS: Final = 3.0
"""`status()` waits 2 s at most."""

PORT_SECONDS: Final = 10.0
"""So long a start waits for a port that is taken: whoever has it may be a worker that leaves."""
PORT_PAUSE_SECONDS: Final = 0.25

METRICS_KIND: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Source: Prometheus' text exposition format."""

_log = logging.getLogger(__name__)


class Health:
    """A companion: heartbeat file, HTTP server, or both.

    Args:
        now: The worker's clock; that of the heartbeat file, too.
        exposition: What /metrics says of a status, piece by piece.
        pause: Waits so many seconds before a port that is taken is tried again; None: it does.
        is_stopping: The worker was asked to stop: no port is waited for any more.
    """

    def __init__(
        self,
        config: HealthConfig,
        *,
        now: Callable[[], float],
        exposition: Callable[[WorkerStatus], Iterator[str]],
        pause: Callable[[float], object] | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
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
        self._pause_before = pause or self._is_closing.wait
        self._is_stopping = is_stopping
        self._has_news = threading.Event()
        self._has_looked = threading.Event()
        self._server: Server | None = None
        self._threads: list[threading.Thread] = []
        self._failing: set[str] = set()
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
        """Write the first beat and listen; wait some seconds for a port that is taken.

        Raises:
            PortTaken: Somebody else has the port, and keeps it.
            ConfigError: The file cannot be written, or the port not be had.
        """
        self._worker = worker
        self._look()
        file, port = self._config.file, self._config.port
        if file is not None:
            self._begin_file(file)
        try:
            if port is not None:
                self._server = self._listening(port)
            self._spawn("kcl-heart", self._has_news, self._look_anew)
            if file is not None:
                # A disk that hangs must not make the server say that nobody looks.
                self._spawn("kcl-heart-file", self._has_looked, lambda: self._write(file))
        except BaseException:
            self.close()  # there will be no worker that it speaks of
            raise

    def hear(self, event: WorkerEvent) -> None:
        """Look at once after what changes the answers; `status()` says the rest."""
        if event.name in NEWS:
            self._has_news.set()

    def close(self) -> None:
        """Stop, and take the file away: there is no worker any more."""
        self._is_closing.set()
        self._has_news.set()
        self._has_looked.set()
        if self._server is not None:
            self._server.close()
        until = self._now() + JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - self._now()))
        if self._config.file is not None:
            remove(self._config.file)

    # ------------------------------------------------------------------------------------ the heart

    def _begin_file(self, file: str) -> None:
        try:
            if os.path.lexists(file) and not os.path.isfile(file):  # noqa: PTH113 - as in beat.py
                raise ConfigError(
                    f"health.file = {file!r} is no ordinary file, and would be replaced by one; "
                    "name another, in a directory of the worker's own"
                )
            write_beat(file, self._beat())
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"health.file = {file!r} cannot be written ({said}); name a file in "
                "a directory that this process may write to"
            ) from None

    def _listening(self, port: int) -> Server | None:
        """Listen; None: the worker stops before it could."""
        until, is_told = self._now() + PORT_SECONDS, False
        while not self._is_stopping():
            try:
                return Server(self._config.host, port, self._at, self._now)
            except PortTaken as taken:
                if self._now() >= until:
                    raise PortTaken(f"{taken}; tried for {PORT_SECONDS:g} s") from None
                if not is_told:
                    wanted = {"host": self._config.host, "port": port, "wait": PORT_SECONDS}
                    _log.warning("health.port_taken", extra=wanted)
                is_told = True
            self._pause_before(PORT_PAUSE_SECONDS)
        return None

    def _spawn(self, name: str, wanted: threading.Event, do: Callable[[], None]) -> None:
        thread = threading.Thread(target=lambda: self._work(wanted, do), name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _work(self, wanted: threading.Event, do: Callable[[], None]) -> None:
        """Do it whenever it is wanted, and every second or so at any rate."""
        while True:
            wanted.wait(self._pause)
            wanted.clear()
            if self._is_closing.is_set():
                return
            try:
                do()
            except Exception as error:  # noqa: BLE001 - a bug of ours; the next time may do
                # If none does, the file and /livez show it: nobody looks any more.
                if "health" not in self._failing:
                    bug = {"error_type": type(error).__qualname__}
                    _log.error("health.failed", exc_info=True, extra=bug)
                self._failing.add("health")

    def _look_anew(self) -> None:
        self._look()
        self._has_looked.set()

    def _look(self) -> None:
        self._seen_at = self._now()
        self._seen = self._worker.status()
        cost = self._now() - self._seen_at
        self._pause = min(max(BEAT_SECONDS, LOOKS_PER_COST * cost), BEAT_SECONDS_MAX)

    def _write(self, file: str) -> None:
        try:
            write_beat(file, self._beat())
            self._failing.discard("file")
        except OSError as error:
            if "file" not in self._failing:
                facts = {"file": file, "problem": str(error.strerror)}
                _log.warning("health.file_failed", extra=facts)
            self._failing.add("file")

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
        }
        return Answer(200, statusz(told, self._seen), "application/json")
