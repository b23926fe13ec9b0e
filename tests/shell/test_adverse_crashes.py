"""Does a crash of any thread end the worker, with its cause, and leave nobody acting or waiting?"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import pytest
import structlog

import kcl_py.worker
from kcl_py.core.worker_core import WorkerCore
from kcl_py.errors import WorkerFailed
from kcl_py.processor import AsyncShardContext
from kcl_py.shell.audit import AuditLog
from kcl_py.shell.reporting import FLUSH_SECONDS, Reporter
from kcl_py.shell.run import ProcessorRun
from kcl_py.shell.runs import Runs
from kcl_py.shell.shell import Crashed
from kcl_py.status import WorkerEvent
from tests.shell import primitives
from tests.shell.baton import Baton, seeds
from tests.shell.stage import (
    DURATION,
    GRACE,
    AsyncCode,
    Code,
    Stage,
    StageStream,
    StageTable,
    has_ended,
)

SEEDS = 8

END_SECONDS = 14.0
"""A failing worker waits `GRACE` for user code, 2 s for its end, 4 s for the log; and slack."""


class PlantedError(Exception):
    """A bug of ours that a scenario plants."""


class Bomb:
    """Raises at the first call after a moment that the seed chose, and ever after if it is to."""

    def __init__(self, stage: Stage, error: BaseException, *, stays: bool = False) -> None:
        self._stage = stage
        self._error = error
        self._stays = stays
        self._due = stage.baton.time + stage.rng.choice((0.0, 0.0, stage.rng.uniform(0.3, 5.0)))
        self.went_off_at: float | None = None

    def __call__(self) -> None:
        now = self._stage.baton.time
        if now >= self._due and (self._stays or self.went_off_at is None):
            self.went_off_at = self.went_off_at or now
            self._stage.witness.has_crashed = True
            raise self._error

    def before(self, kind: type, name: str) -> Bomb:
        """Call it before a method of ours does its work."""
        method: Callable[..., Any] = getattr(kind, name)

        def with_bomb(*arguments: Any, **named: Any) -> Any:
            self()
            return method(*arguments, **named)

        self._stage.baton.replace(kind, name, with_bomb)
        return self


def play_crash(
    seed: int, plant: Callable[[Stage], Bomb], processor: Any = Code, audit: Any = None
) -> tuple[Bomb, BaseException | None]:
    """Let something of ours raise, and see how the worker ends."""
    with Baton(seed) as baton:
        stage = Stage(baton, shards=2)
        stage.behave = lambda method, shard, batch: baton.sleep(stage.rng.choice((0.0, 0.1)))
        worker = stage.worker(lambda: processor(stage))
        baton.replace(kcl_py.worker, "AuditLog", lambda path, worker_id: audit)
        worker._audit_path = "audit" if audit is not None else None

        def ask() -> None:
            while not has_ended(worker):
                baton.sleep(0.7)
                with contextlib.suppress(BaseException):  # a bug of the core's is raised here, too
                    worker.status()

        baton.spawn(ask)
        worker.start()
        bomb = plant(stage)
        baton.until(lambda: has_ended(worker) or bomb.went_off_at is not None, 8.0)
        worker.request_stop()
        raised = stage.end(worker, patience=3.0)
        assert not any(context.is_owner for context in stage.contexts)
        stage.witness.check()
        if bomb.went_off_at is not None:
            assert baton.time - bomb.went_off_at < END_SECONDS
        return bomb, raised


PLACES: dict[str, tuple[type, str]] = {
    "the control thread, in the core": (WorkerCore, "receive"),
    "the control thread, when asked for the status": (WorkerCore, "status"),
    "the control thread, at its timers": (WorkerCore, "next_wakeup"),
    "the control thread, at a command": (Runs, "call"),
    "a lease thread": (StageTable, "write"),
    "a table thread, scanning": (StageTable, "scan"),
    "a table thread, listing": (StageStream, "list_shards"),
    "a read thread": (StageStream, "fetch"),
    "a shard thread": (ProcessorRun, "_traits"),
    "the log's thread": (Reporter, "_log"),
    "whoever starts a thread": (primitives.Thread, "start"),
}
ERRORS = (PlantedError("planted"), SystemExit(3), KeyboardInterrupt(), MemoryError())


@pytest.mark.parametrize(
    ("where", "stays"),
    [
        *((where, False) for where in PLACES),
        *((where, True) for where, (place, _) in PLACES.items() if place is not Reporter),
    ],
)
def test_a_crash_ends_the_worker_with_its_cause(where: str, stays: bool) -> None:  # noqa: FBT001
    place, name = PLACES[where]
    count = 0
    for seed in seeds(SEEDS):
        error = ERRORS[seed % len(ERRORS)]

        def plant(stage: Stage, error: BaseException = error) -> Bomb:
            stage.witness.is_deaf = place is Reporter
            return Bomb(stage, error, stays=stays).before(place, name)

        bomb, raised = play_crash(seed, plant)
        if bomb.went_off_at is not None:
            count += 1
            assert isinstance(raised, Crashed), (seed, raised)
            assert raised.__cause__ is error
    assert count > SEEDS / 4


class Background(AsyncCode):
    """User code that leaves a task behind which ends the loop that all share."""

    bomb: ClassVar[list[Bomb]] = []

    async def behave(self, method: str, shard: AsyncShardContext | None) -> None:
        if method == "process_records":
            self.task = asyncio.ensure_future(self._explode())
            await asyncio.sleep(0.3)

    async def _explode(self) -> None:
        await asyncio.sleep(0.1)
        if self.bomb:
            self.bomb[0]()


def test_the_end_of_the_loop_is_the_end_of_the_worker() -> None:
    """All calls on it are over then, whether or not they know; none of their threads waits on."""
    count = 0
    for seed in seeds(3 * SEEDS):
        Background.bomb.clear()

        def plant(stage: Stage) -> Bomb:
            Background.bomb.append(Bomb(stage, SystemExit(4)))
            return Background.bomb[0]

        bomb, raised = play_crash(seed, plant, Background)
        if bomb.went_off_at is not None:
            count += 1
            assert isinstance(raised, Crashed), (seed, raised)
            assert isinstance(raised.__cause__, SystemExit)
    assert count > SEEDS


class FullDisk(AuditLog):
    """An audit log that can be written for a while."""

    bomb: Bomb | None = None

    def __init__(self, worker_id: str) -> None:
        self._worker_id = worker_id

    def _write(self, line: str) -> None:
        if self.bomb is not None:
            self.bomb()


def test_an_audit_log_that_cannot_be_written_ends_the_worker_and_every_fence() -> None:
    count = 0
    for seed in seeds(2 * SEEDS):
        log = FullDisk("w-1")

        def plant(stage: Stage, log: FullDisk = log) -> Bomb:
            log.bomb = Bomb(stage, OSError("disk full"), stays=True)
            return log.bomb

        bomb, raised = play_crash(seed, plant, audit=log)
        if bomb.went_off_at is not None:
            count += 1
            assert isinstance(raised, Crashed | OSError), (seed, raised)
    assert count > SEEDS


# ------------------------------------------------------------------------------------ the very end


class Unspeakable(Exception):
    """An error of the user's that cannot even be shown."""

    def __str__(self) -> str:
        raise PlantedError


@pytest.mark.parametrize("error", [PlantedError(), Unspeakable(), SystemExit(1)])
def test_nothing_that_fails_at_the_end_keeps_those_who_wait(error: BaseException) -> None:
    def fail(*_: object) -> None:
        raise error

    for seed in seeds(SEEDS):
        with Baton(seed) as baton:
            stage = Stage(baton)
            worker = stage.worker()
            if seed % 2:
                worker._connecting = fail  # type: ignore[assignment, method-assign]
            else:
                stage.close_clients = fail
            worker.start()
            baton.sleep(2.0)
            worker.request_stop()
            raised = stage.end(worker)
            assert raised is error
            assert worker.status().state == "failed"
            stage.witness.check()


def test_a_worker_that_cannot_start_its_thread_says_so_to_everybody() -> None:
    for name, state in (("kcl-control", "failed"), ("kcl-report", "new")):
        for seed in seeds(4):
            with Baton(seed) as baton:
                stage = Stage(baton)
                worker = stage.worker()
                start = primitives.Thread.start

                def refuse(thread: Any, name: str = name, start: Any = start) -> None:
                    if thread.name == name:
                        raise RuntimeError("can't start new thread")
                    start(thread)

                baton.replace(primitives.Thread, "start", refuse)
                with pytest.raises(RuntimeError, match="can't start"):
                    worker.start()
                ended = baton.spawn(lambda: stage.end(worker))  # noqa: B023 - joined below
                ended.join()
                assert worker.status().state == state
                stage.witness.check()


# ------------------------------------------------------------------------------------------ the log


class BrokenHandler(logging.Handler):
    """A log that raises, or that takes lines for ever."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self.act = act
        self.count = 0

    def handle(self, record: logging.LogRecord) -> bool:
        self.count += 1
        self.act()
        return True


@contextlib.contextmanager
def logging_to(handler: logging.Handler) -> Iterator[None]:
    logger = logging.getLogger("kcl_py")
    logger.addHandler(handler)
    logger.propagate = False
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
        logger.setLevel(before)


@pytest.mark.parametrize("error", [PlantedError(), SystemExit(1), KeyboardInterrupt()])
def test_a_log_that_raises_stops_nothing_and_on_event_hears_all(error: BaseException) -> None:
    def act() -> None:
        raise error

    for seed in seeds(SEEDS):
        handler = BrokenHandler(act)
        with logging_to(handler), Baton(seed) as baton:
            stage = Stage(baton)
            assert stage.play(stage.worker(), 3.0) is None
            assert "lease.given" in stage.witness.heard
            stage.witness.check()
        assert handler.count


@pytest.mark.parametrize("where", ["a lease thread", "the control thread, in the core"])
@pytest.mark.parametrize("what", ["raises", "blocks"])
def test_a_crash_ends_the_worker_though_the_log_is_broken(what: str, where: str) -> None:
    place, name = PLACES[where]
    for seed in seeds(SEEDS):

        def act(stages: list[Stage]) -> None:
            if stages and stages[0].witness.has_crashed:
                if what == "raises":
                    raise PlantedError
                stages[0].baton.until(lambda: False)

        stages: list[Stage] = []

        def plant(stage: Stage, stages: list[Stage] = stages) -> Bomb:
            stages.append(stage)
            stage.witness.is_deaf = True
            stage.witness.may_live = ("kcl-report",) if what == "blocks" else ()
            return Bomb(stage, PlantedError()).before(place, name)

        with logging_to(BrokenHandler(partial(act, stages))):
            bomb, raised = play_crash(seed, plant)
        assert isinstance(raised, Crashed) or bomb.went_off_at is None


def test_an_on_event_that_raises_is_logged_and_stops_nothing() -> None:
    for seed in seeds(SEEDS):
        with Baton(seed) as baton, structlog.testing.capture_logs() as lines:
            stage = Stage(baton)
            errors = iter(ERRORS * 1_000)

            def listen(event: WorkerEvent, stage: Stage = stage, errors: Any = errors) -> None:
                stage.witness.on_event(event)
                raise next(errors)

            assert stage.play(stage.worker(on_event=listen), 3.0) is None
            stage.witness.check()
        assert [line["event"] for line in lines].count("on_event.failed") == 1


def block_on_event(seed: int) -> None:
    """Let `on_event` never return: leases go on, and the stop waits a bounded time for it."""
    with Baton(seed) as baton:
        stage = Stage(baton)

        def listen(event: WorkerEvent) -> None:
            stage.witness.on_event(event)
            if event.name == "worker.ready":
                baton.until(lambda: False)

        worker = stage.worker(on_event=listen)
        worker.start()
        baton.sleep(4.0 * DURATION)
        assert len(worker.status().shards) == len(stage.shard_ids)
        asked_at = baton.time
        worker.request_stop()
        assert stage.end(worker) is None
        assert baton.time - asked_at < GRACE + 2.0 * FLUSH_SECONDS
        stage.witness.is_deaf = True
        stage.witness.may_live = ("kcl-report",)
        stage.witness.check()


def test_an_on_event_that_never_returns_holds_up_neither_leases_nor_the_stop() -> None:
    for seed in seeds(SEEDS):
        block_on_event(seed)


# --------------------------------------------------------------------------- in the user's own loop


def crash_in_a_loop(seed: int, where: str) -> bool:
    """Let something of ours raise while the worker runs on a loop of the user's."""
    place, name = PLACES[where]
    error = PlantedError()
    with Baton(seed) as baton:
        stage = Stage(baton, shards=2)
        stage.witness.is_deaf = place is Reporter
        worker = stage.worker(lambda: AsyncCode(stage))

        async def main() -> None:
            running = asyncio.ensure_future(worker.run_async())
            await asyncio.sleep(0.2)
            bomb = Bomb(stage, error).before(place, name)
            bombs.append(bomb)
            await asyncio.wait([running], timeout=8.0)
            worker.request_stop()
            await running

        bombs: list[Bomb] = []
        loop = asyncio.new_event_loop()
        raised: BaseException | None = None
        try:
            loop.run_until_complete(main())
        except WorkerFailed as failed:
            raised = failed
        finally:
            loop.close()
        stage.witness.ended()
        baton.until(lambda: not baton.alive(), 3.0)
        assert not any(context.is_owner for context in stage.contexts)
        stage.witness.check()
        if bombs[0].went_off_at is None:
            assert raised is None
            return False
        assert isinstance(raised, Crashed)
        assert raised.__cause__ is error
        return True


@pytest.mark.parametrize("where", [where for where in PLACES if "status" not in where])
def test_a_crash_is_raised_by_run_async(where: str) -> None:
    went_off = [crash_in_a_loop(seed, where) for seed in seeds(SEEDS // 2)]

    assert any(went_off)


def interrupt(seed: int, error: type[BaseException]) -> None:
    """Interrupt the main thread while it waits, as Ctrl-C does where nobody handles signals."""
    with Baton(seed) as baton:
        stage = Stage(baton)
        worker = stage.worker()
        due = baton.time + stage.rng.uniform(0.0, 4.0)
        really_join = worker.join
        raised: list[float] = []

        def join(timeout: float | None = None) -> bool:
            if baton.time >= due and not raised:
                raised.append(baton.time)
                raise error
            return really_join(timeout)

        worker.join = join  # type: ignore[method-assign]
        with pytest.raises(error):
            worker.run(handle_signals=False)
        stage.witness.ended()
        baton.until(lambda: not baton.alive(), 1.0)
        assert worker.status().state == "stopped"
        stage.witness.check()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_of_whoever_waits_drains_and_goes_on_its_way(
    error: type[BaseException],
) -> None:
    for seed in seeds(SEEDS):
        interrupt(seed, error)
