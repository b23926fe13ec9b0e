"""Does a source of notices that hangs hold up nobody: no other source, no hook, and no end?"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py import Batch, Worker
from kcl_py.hosts import watch as watch_module
from kcl_py.hosts.companion import Notices
from kcl_py.hosts.imds import Imds
from kcl_py.hosts.lifecycle import Hook
from kcl_py.hosts.notices import Notice
from kcl_py.hosts.watch import NoticeWatch
from kcl_py.hosts.watching import (
    HUNG_SECONDS,
    INTERVAL_SECONDS,
    AnsweredAgain,
    Hung,
    Seen,
    Unanswered,
    Watching,
)
from kcl_py.local import Engine
from tests.hosts.fakes import INSTANCE_ID, FakeImds
from tests.hosts.test_watch import TERMINATED, Actions, Clock, FakeWorker, Source, events

PATIENCE_SECONDS = 30.0


@dataclass
class Hanging(Source):
    """Answers once it is let go."""

    go_on: threading.Event = field(default_factory=threading.Event)
    is_asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def ask(self) -> Notice | None:
        self.is_asked.release()
        self.go_on.wait(PATIENCE_SECONDS)
        return super().ask()


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    made = Hanging("mine")
    yield made
    made.go_on.set()


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kcl_py.hosts")


class Held:
    """Puts questions here and now, but for those that are held until they are let go."""

    def __init__(self, *names: str) -> None:
        self.names = {f"kcl-notices-{name}" for name in names}
        self.works: list[Callable[[], None]] = []

    def __call__(self, name: str, work: Callable[[], None]) -> None:
        if name in self.names:
            self.works.append(work)
        else:
            work()

    def answer(self) -> None:
        works, self.works = self.works, []
        for work in works:
            work()


def held(
    *sources: Source, begin: Any, hook: Hook | None = None
) -> tuple[NoticeWatch, list[str], Clock]:
    drains: list[str] = []
    clock = Clock()
    made = NoticeWatch(sources, lambda: drains.append("drain"), hook=hook, now=clock, begin=begin)
    return made, drains, clock


# ---------------------------------------------------------------------------------- with threads


def test_a_source_that_hangs_silences_no_other_and_holds_up_no_end(hanging: Hanging) -> None:
    spot, worker = Source("spot"), FakeWorker()
    spot.says = Notice("spot", "terminate")
    companion = Notices([hanging, spot])
    companion.start(worker)

    assert worker.stops.acquire(timeout=PATIENCE_SECONDS)
    companion.close()
    assert companion._watch is not None
    assert not companion._watch._thread.is_alive()


def test_a_hook_is_told_though_a_source_hangs(
    hanging: Hanging, caplog: pytest.LogCaptureFixture
) -> None:
    actions, is_draining = Actions(), threading.Event()
    watch = NoticeWatch(
        [hanging, Source("lifecycle", TERMINATED)],
        is_draining.set,
        hook=Hook("leave", lambda: actions),
    )
    watch.start()
    assert is_draining.wait(PATIENCE_SECONDS)
    watch.finish()

    assert actions.told == ["complete"]
    assert "notices.unfinished" not in events(caplog)


def test_a_worker_with_a_source_that_hangs_stops_in_time(
    hanging: Hanging, caplog: pytest.LogCaptureFixture
) -> None:
    def process(batch: Batch) -> None:
        del batch

    with Engine() as engine:
        engine.session().client("kinesis").create_stream(StreamName="people", ShardCount=1)
        worker = Worker(
            app_name="demo",
            stream="people",
            processor=process,
            config=engine.config(),
            session=engine.session(),
            companions=[Notices([hanging])],
        )
        worker.start()
        assert hanging.is_asked.acquire(timeout=PATIENCE_SECONDS)
        worker.stop()

    assert "companion.unfinished" not in "".join(events(caplog))
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("kcl-notices-mine") == 1
    assert "kcl-notices" not in names


def test_no_thread_is_left_of_sources_that_answer() -> None:
    worker = FakeWorker()
    companion = Notices([Source("spot", Notice("spot", "stop")), Source("lifecycle")])
    companion.start(worker)
    assert worker.stops.acquire(timeout=PATIENCE_SECONDS)
    companion.close()
    for thread in threading.enumerate():
        if thread.name.startswith("kcl-notices"):
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()


def test_sources_that_ask_one_metadata_service_at_once_share_a_token() -> None:
    imds = FakeImds()
    with imds.running():
        shared, found = Imds(imds.url), []
        threads = [
            threading.Thread(target=lambda: found.append(shared.get("instance-id")))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)

    assert found == [INSTANCE_ID] * 8
    assert imds.granted == 1


# ---------------------------------------------------------------------------------- with a clock


def test_one_that_hangs_is_told_once_asked_no_more_and_heeded_late(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mine, spot, questions = Source("mine"), Source("spot"), Held("mine")
    watch, drains, clock = held(mine, spot, begin=questions)
    while clock.at <= 6 * HUNG_SECONDS:
        watch.look()
        clock.at += INTERVAL_SECONDS

    assert len(questions.works) == 1
    assert spot.count == 1 + 6 * HUNG_SECONDS / INTERVAL_SECONDS
    assert events(caplog) == ["notices.hung"]
    told = vars(caplog.records[0])
    assert (told["source"], told["waited"]) == ("mine", HUNG_SECONDS)

    mine.says = Notice("other", "leave")
    questions.answer()
    watch.look()
    assert events(caplog)[1:] == ["notices.answered_again", "notice.seen"]
    assert drains == ["drain"]


def test_at_the_end_whoever_is_well_is_heard_and_whoever_hangs_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "LAST_SECONDS", 0.0)
    actions, questions = Actions(), Held("lifecycle")
    spot = Source("spot", Notice("spot", "terminate"))
    watch, drains, _ = held(
        spot, Source("lifecycle", TERMINATED), begin=questions, hook=Hook("leave", lambda: actions)
    )
    watch.look()
    watch._mail.put(None)
    watch._work()

    assert drains == ["drain"]
    assert actions.told == []
    assert events(caplog) == ["notice.seen", "notices.hung"]


def test_what_was_asked_before_a_drain_is_asked_once_more(caplog: pytest.LogCaptureFixture) -> None:
    """Its answer may be older than what began the drain, and the hook waits for us."""
    actions, questions = Actions(), Held("lifecycle")
    spot, lifecycle = Source("spot", Notice("spot", "terminate")), Source("lifecycle")
    watch, _, _ = held(spot, lifecycle, begin=questions, hook=Hook("leave", lambda: actions))
    watch.look()
    questions.names.clear()
    questions.answer()  # no notice yet
    lifecycle.says = TERMINATED
    watch._mail.put(None)
    watch._work()

    assert actions.told == ["complete"]
    assert events(caplog) == ["notice.seen", "notice.seen", "lifecycle.completed"]


def test_without_a_thread_for_it_a_source_is_asked_later(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_name: str, _work: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    watch, _, _ = held(Source("spot"), begin=refuse)
    watch.look()

    assert events(caplog) == ["notices.unanswered"]
    assert "can't start new thread" in vars(caplog.records[0])["problem"]


# --------------------------------------------------------------------------------------- deciding


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.sampled_from(["ask", "none", "notice", "fails"]),
            st.floats(0.0, 30.0),
        ),
        max_size=60,
    )
)
def test_nobody_is_asked_twice_at_once_and_a_hang_is_told_once_and_in_time(
    steps: list[tuple[str, str, float]],
) -> None:
    watching, now = Watching(["a", "b"], 0.0), 0.0
    since: dict[str, float | None] = {"a": None, "b": None}
    told: set[str] = set()
    for name, what, later in steps:
        now += later
        due = watching.due(now)
        assert all(since[each] is None for each in due)
        for finding in watching.overdue(now):
            assert isinstance(finding, Hung)
            asked = since[finding.source]
            assert asked is not None
            assert now - asked >= HUNG_SECONDS
            assert finding.source not in told
            told.add(finding.source)
        late = {each for each, at in since.items() if at is not None and now - at >= HUNG_SECONDS}
        assert late <= told
        if what == "ask" and name in due:
            watching.asked(name, now)
            since[name] = now
        elif what == "fails":
            watching.failed(name, now, "no")
            since[name] = None
        elif what in ("none", "notice"):
            notice = Notice("other", "leave") if what == "notice" else None
            findings = watching.answered(name, now, notice)
            since[name] = None
            assert (name not in told) or AnsweredAgain(name) in findings
            told.discard(name)
        waiting = [at for at in since.values() if at is not None]
        if waiting and not told:
            assert watching.next_due is not None
            assert watching.next_due <= min(waiting) + HUNG_SECONDS


def test_a_hang_that_ends_badly_is_told_as_both() -> None:
    watching = Watching(["mine"], 0.0)
    watching.asked("mine", 0.0)

    assert watching.overdue(HUNG_SECONDS) == [Hung("mine", HUNG_SECONDS)]
    assert watching.failed("mine", 20.0, "late") == [Unanswered("mine", "late", INTERVAL_SECONDS)]
    assert watching.awaited(25.0) == []
    watching.asked("mine", 25.0)
    assert watching.overdue(60.0) == []
    assert watching.answered("mine", 61.0, TERMINATED) == [
        AnsweredAgain("mine"),
        Seen(TERMINATED, drains=True),
    ]
