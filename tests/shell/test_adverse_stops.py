"""Does a worker stop in time and cleanly, whoever asks, however often, and whatever hangs?"""

from __future__ import annotations

import signal
from math import inf

import pytest

from kcl_py.errors import StopTimeout
from kcl_py.processor import Batch, ShardContext
from kcl_py.shell import signals
from kcl_py.status import WorkerEvent
from tests.shell.baton import START, Baton, seeds
from tests.shell.stage import GRACE, Stage

SEEDS = 25

AFTER_GRACE_SECONDS = 4.0
"""By how much a stop may be late: 2 s for user code, 1 s for reads that hang, and hold-ups."""


def work(stage: Stage) -> None:
    """Let user code take a little while."""
    stage.behave = lambda *_: stage.baton.sleep(stage.rng.choice((0.0, 0.05, 0.2)))


# ------------------------------------------------------------------------------- what is under way


def stop_with_slow_calls(seed: int) -> BaseException | None:
    with Baton(seed) as baton:
        stage = Stage(baton)
        work(stage)
        seconds = stage.rng.uniform(1.0, 6.0)
        slow_share, slow_from = stage.rng.choice(((0.1, 0.0), (1.0, 0.0), (1.0, seconds)))

        def lasts(name: str, what: object) -> float:
            is_slow = stage.rng.random() < slow_share and baton.time - START > slow_from
            return stage.rng.uniform(1.8 if slow_from else 0.0, 1.9) if is_slow else 0.05

        stage.lasts = lasts
        worker = stage.worker()
        worker.start()
        baton.sleep(seconds)
        worker.request_stop()
        raised = stage.end(worker, patience=0.0)
        written = len(stage.rows.log)
        assert "write" not in [call.what[0] for call in stage.witness.calls if call.ended == inf]
        baton.sleep(5.0)
        assert len(stage.rows.log) == written
        stage.witness.check()
        return raised


def test_no_write_is_under_way_when_a_worker_has_ended() -> None:
    """Also where answers come so late that it gives up; every call keeps to its two seconds."""
    ends = [stop_with_slow_calls(seed) for seed in seeds(SEEDS)]

    assert {type(end) for end in ends} == {type(None), StopTimeout}


def test_no_thread_is_left_the_moment_a_worker_has_ended() -> None:
    """But the one that says so, which has nothing more to do."""
    for seed in seeds(SEEDS):
        with Baton(seed, hold_up_rate=0.0) as baton:
            stage = Stage(baton)
            work(stage)
            worker = stage.worker()
            worker.start()
            baton.sleep(stage.rng.uniform(0.0, 6.0))
            worker.request_stop()
            assert stage.end(worker, patience=0.0) is None
            stage.witness.may_live = ("kcl-control",)
            stage.witness.check()


# ------------------------------------------------------------------------------- who asks, and when


def stop_from_all_sides(seed: int) -> bool:
    """Return whether it was so early that nothing was begun."""
    with Baton(seed, line_rate=0.2) as baton:
        stage = Stage(baton, shards=2)
        work(stage)
        worker = stage.worker()
        moment = stage.rng.choice((0.0, 0.0, 0.001, 0.3, 2.0))

        def ask() -> None:
            baton.sleep(moment * stage.rng.choice((1.0, 1.0, 1.01)))
            worker.request_stop()
            if stage.rng.random() < 0.5:
                with stage.witness.asking("stop"):
                    worker.stop()

        askers = [baton.spawn(ask) for _ in range(4)]
        if stage.rng.random() < 0.3:
            baton.sleep(0.0005)
        worker.start()
        assert stage.end(worker) is None
        for asker in askers:
            asker.join()
        worker.request_stop()
        worker.stop()
        assert worker.join(0.0)
        assert worker.status().state == "stopped"
        assert baton.time - START < moment + GRACE
        stage.witness.check()
        return not stage.witness.cores


def test_a_stop_may_be_asked_by_anybody_at_any_moment_and_again() -> None:
    early = [stop_from_all_sides(seed) for seed in seeds(2 * SEEDS)]

    assert set(early) == {True, False}


def stop_from_inside(seed: int) -> None:
    with Baton(seed) as baton:
        stage = Stage(baton)
        asked: list[str] = []
        where = stage.rng.choice(("initialize", "process_records", "record"))

        def behave(method: str, shard: ShardContext, batch: Batch | None) -> None:
            if method == where:
                asked.append(method)
                worker.request_stop()

        def listen(event: WorkerEvent) -> None:
            stage.witness.on_event(event)
            if event.name == "lease.taken" and stage.rng.random() < 0.3:
                asked.append(event.name)
                worker.request_stop()

        stage.behave = behave
        worker = stage.worker(on_event=listen)
        worker.start()
        assert stage.end(worker) is None
        assert asked
        stage.witness.check()


def test_a_stop_is_asked_by_user_code_and_by_on_event() -> None:
    for seed in seeds(SEEDS):
        stop_from_inside(seed)


def stop_by_signal(seed: int, exits: list[int], *, twice: bool) -> None:
    with Baton(seed) as baton:
        stage = Stage(baton)
        work(stage)
        worker = stage.worker()
        due = START + stage.rng.uniform(0.0, 5.0)
        really_join = worker.join
        sent: list[int] = []

        def join(timeout: float | None = None) -> bool:
            """Send the signals where the main thread looks up, as it does for real ones."""
            if baton.time >= due and not sent:
                sent.extend([signal.SIGTERM, *([signal.SIGINT] if twice else [])])
                for number in sent:
                    signal.raise_signal(number)
            return really_join(timeout)

        worker.join = join  # type: ignore[method-assign]
        worker.run()
        stage.witness.ended()
        baton.until(lambda: not baton.alive(), 1.0)
        stage.witness.check()
    assert exits == ([128 + signal.SIGINT] if twice else [])


@pytest.mark.parametrize("twice", [False, True])
def test_a_signal_drains_and_a_second_one_ends_the_process(
    monkeypatch: pytest.MonkeyPatch,
    twice: bool,  # noqa: FBT001
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    for seed in seeds(SEEDS):
        exits: list[int] = []
        monkeypatch.setattr(signals, "end_now", exits.append)
        stop_by_signal(seed, exits, twice=twice)
        assert signal.getsignal(signal.SIGTERM) == before


# -------------------------------------------------------------------------------------- what hangs


def stop_with_hung_code(seed: int) -> bool:
    """Return whether any code was hung: the stop may come before it is called."""
    with Baton(seed, hold_up_max=0.05) as baton:
        stage = Stage(baton)
        hung: list[int] = []
        where = stage.rng.choice(("initialize", "record", "process_records", "close"))

        def behave(method: str, shard: ShardContext, batch: Batch | None) -> None:
            if method == where and shard.lease_key == stage.shard_ids[0]:
                hung.append(shard.fencing_token)
                baton.until(lambda: False)
            baton.sleep(0.05)

        stage.behave = behave
        worker = stage.worker()
        worker.start()
        baton.until(lambda: bool(hung), 3.0)
        baton.sleep(stage.rng.choice((0.0, stage.rng.uniform(0.0, 4.0))))
        asked_at = baton.time
        worker.request_stop()
        raised = stage.end(worker)
        if not hung:
            assert raised is None
            return False

        assert isinstance(raised, StopTimeout)
        assert stage.shard_ids[0] in str(raised)
        assert baton.time - asked_at < GRACE + AFTER_GRACE_SECONDS
        kept, *others = (stage.rows.lease(key) for key in stage.shard_ids)
        assert kept.actual_owner == worker.worker_id
        assert not kept.is_offered
        assert all(row.is_offered for row in others)
        assert not any(context.is_owner for context in stage.contexts)
        stage.witness.may_live = (f"kcl-shard-{stage.shard_ids[0]}",)
        stage.witness.check()
        return True


def test_user_code_that_never_returns_keeps_its_own_shard_alone() -> None:
    """The worker ends in time and says which; all other leases are offered to others."""
    hung = [stop_with_hung_code(seed) for seed in seeds(SEEDS)]

    assert sum(hung) > SEEDS / 2


def return_after_the_end(seed: int) -> None:
    with Baton(seed) as baton:
        stage = Stage(baton, shards=1)

        def behave(method: str, shard: ShardContext, batch: Batch | None) -> None:
            if method == "record":
                baton.sleep(stage.rng.choice((0.0, 5.0 * GRACE)))

        stage.behave = behave
        stage.play(stage.worker(), stage.rng.uniform(2.0, 4.0), patience=8.0 * GRACE)
        stage.witness.check()
        lives = [life.methods for life in stage.witness.lives.values() if life.methods]
        assert lives
        assert all(life[-1] == "close" for life in lives)


def test_what_returns_after_the_end_gets_its_close() -> None:
    for seed in seeds(SEEDS):
        return_after_the_end(seed)
