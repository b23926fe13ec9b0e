"""How do the core's reports reach the log and `on_event`, without holding anybody up?"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from kcl_py.companions import Companion, Watched
from kcl_py.core.commands import Report
from kcl_py.shell import reporting
from kcl_py.shell.reporting import WAITING_MAX, Reporter, log_fields
from kcl_py.status import WorkerEvent
from tests.shell.tools import PATIENCE, Crashes

FACTS = {"worker_id": "w-1", "stream": "people"}


@pytest.fixture
def make() -> Iterator[Callable[..., Reporter]]:
    crashes = Crashes()

    def make_reporter(
        on_event: Callable[[WorkerEvent], None] | None = None, *companions: Companion
    ) -> Reporter:
        return Reporter(FACTS, lambda: 12.0, on_event, crashes, companions)

    yield make_reporter
    assert crashes.all == []


def test_a_report_is_logged_and_handed_on(make: Callable[..., Reporter]) -> None:
    events: list[WorkerEvent] = []
    with capture_logs() as lines:
        reporter = make(events.append)
        reporter.report(Report("lease.taken", "warning", "shardId-1", {"token": 5}))
        reporter.close()

    assert lines == [
        {
            "event": "lease.taken",
            "log_level": "warning",
            "lease_key": "shardId-1",
            "token": 5,
            **FACTS,
        }
    ]
    assert events == [
        WorkerEvent(name="lease.taken", at=12.0, lease_key="shardId-1", fields={"token": 5})
    ]


def test_a_listener_that_raises_is_logged_once_and_kept(make: Callable[..., Reporter]) -> None:
    heard: list[str] = []

    def listen(event: WorkerEvent) -> None:
        heard.append(event.name)
        raise SystemExit

    with capture_logs() as lines:
        reporter = make(listen)
        for name in ("a", "b", "c"):
            reporter.report(Report(name))
        reporter.close()

    assert heard == ["a", "b", "c"]
    assert [line["event"] for line in lines] == ["a", "on_event.failed", "b", "c"]


class Heard:
    """A companion that notes what it is told, and raises at some of it."""

    def __init__(self, fails_at: tuple[str, ...] = ()) -> None:
        self.fails_at = fails_at
        self.calls: list[str] = []

    def start(self, worker: Watched) -> None:
        raise AssertionError("the reporter starts nobody")

    def hear(self, event: WorkerEvent) -> None:
        self._note(event.name)

    def close(self) -> None:
        self._note("close")

    def _note(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fails_at:
            raise RuntimeError(name)


def test_companions_hear_everything_and_are_closed_after_the_last_event(
    make: Callable[..., Reporter],
) -> None:
    bad, good = Heard(fails_at=("b", "close")), Heard()
    with capture_logs() as lines:
        reporter = make(None, bad, good)
        for name in ("a", "b", "c"):
            reporter.report(Report(name))
        reporter.close()

    assert bad.calls == good.calls == ["a", "b", "c", "close"]
    assert [line["event"] for line in lines] == ["a", "b", "companion.failed", "c"]
    assert lines[2]["companion"] == "Heard"
    assert lines[2]["during"] == "b"


def test_a_listener_that_hangs_holds_nobody_up(make: Callable[..., Reporter]) -> None:
    entered, release = threading.Event(), threading.Event()

    def hang(event: WorkerEvent) -> None:
        entered.set()
        release.wait(PATIENCE)

    with capture_logs() as lines:
        reporter = make(hang)
        for _ in range(WAITING_MAX + 50):
            reporter.report(Report("a", "debug"))
        assert entered.wait(PATIENCE)
        release.set()
        reporter.close()

    (dropped,) = [line for line in lines if line["event"] == "reports.dropped"]
    told = sum(1 for line in lines if line["event"] == "a")
    assert dropped["count"] + told == WAITING_MAX + 50


@given(st.dictionaries(st.sampled_from(list(logging.makeLogRecord({}).__dict__)), st.integers()))
def test_no_field_can_collide_with_what_a_log_record_has(fields: dict[str, int]) -> None:
    logger = logging.getLogger("kcl_py.test")
    record = logger.makeRecord(
        "n", logging.INFO, "f", 1, "m", (), None, extra=log_fields({**fields, "message": 1})
    )
    assert record.getMessage() == "m"


def test_a_broken_log_configuration_stops_nothing(
    make: Callable[..., Reporter], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> dict[str, object]:
        raise ZeroDivisionError

    before = structlog.get_config()
    structlog.configure(processors=[broken])
    try:
        reporter = make()
        reporter.report(Report("lease.taken", "warning"))
        reporter.close()
    finally:
        structlog.configure(**before)
        structlog.reset_defaults()

    assert "logging lease.taken failed" in caplog.text


def test_the_stacks_say_where_every_thread_is(make: Callable[..., Reporter]) -> None:
    with capture_logs() as lines:
        reporter = make()
        reporter.dump_stacks("shardId-1", "\nTask 1")
        reporter.close()

    (line,) = lines
    assert "test_the_stacks_say_where_every_thread_is" in line["stacks"]
    assert "kcl-report" in line["stacks"]
    assert line["stacks"].endswith("Task 1")


def test_plain_logging_gets_the_lines_too(
    make: Callable[..., Reporter], caplog: pytest.LogCaptureFixture
) -> None:
    structlog.reset_defaults()
    with caplog.at_level(logging.INFO, logger="kcl_py"):
        reporter = make()
        reporter.report(Report("lease.taken", "info", "shardId-1", {"why": "it expired"}))
        reporter.close()

    (record,) = caplog.records
    assert record.name == "kcl_py.worker"
    assert record.getMessage() == (
        "lease.taken why='it expired' lease_key=shardId-1 worker_id=w-1 stream=people"
    )


def test_a_companion_that_does_not_end_is_named_even_if_it_holds_up_the_log(
    make: Callable[..., Reporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    release, told = threading.Event(), threading.Event()
    said: list[tuple[str, str, object]] = []

    class Endless(Heard):
        def close(self) -> None:
            release.wait(PATIENCE)

    def write(_reporter: Reporter, name: str, level: str, fields: dict[str, object]) -> None:
        if name == "companion.unfinished":
            said.append((level, str(fields["companion"]).rpartition(".")[2], fields["waited"]))
            told.set()
            release.wait(PATIENCE)

    monkeypatch.setattr(reporting, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(reporting, "COMPANIONS_SECONDS", 0.0)
    monkeypatch.setattr(Reporter, "_write", write)
    reporter = make(None, Endless(), last := Heard())
    reporter.report(Report("a"))
    while not told.wait(0.01):
        reporter.close()  # returns, whatever anybody waits for
    release.set()
    reporter._thread.join(PATIENCE)

    assert said[0] == ("warning", "Endless", 0.0)
    assert last.calls[-1] == "close"


@pytest.mark.parametrize("who", ["on_event", "Hanging"])
def test_whoever_keeps_the_log_and_all_others_waiting_is_told_once(
    who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, release, crashes = threading.Event(), threading.Event(), Crashes()
    clock = [0.0]

    def hang(_event: WorkerEvent) -> None:
        entered.set()
        release.wait(PATIENCE)

    class Hanging(Heard):
        def hear(self, event: WorkerEvent) -> None:
            hang(event)

    told, said = threading.Event(), list[dict[str, object]]()

    def write(_reporter: Reporter, name: str, level: str, fields: dict[str, object]) -> None:
        said.append({"event": name, "level": level, **fields})
        if name in ("listener.hung", "companion.unfinished"):
            told.set()

    monkeypatch.setattr(Reporter, "_write", write)
    monkeypatch.setattr(reporting, "FLUSH_SECONDS", 0.05)
    monkeypatch.setattr(reporting, "COMPANIONS_SECONDS", 0.0)
    by_name = hang if who == "on_event" else None
    companions = () if by_name else (Hanging(),)
    reporter = Reporter(FACTS, lambda: clock[0], by_name, crashes, companions)
    reporter.report(Report("worker.ready"))
    assert entered.wait(PATIENCE)
    clock[0] = reporting.STUCK_SECONDS
    reporter.report(Report("lease.taken"))
    assert [each["event"] for each in said] == ["worker.ready"]
    for _ in range(3):
        clock[0] += 1.0
        reporter.report(Report("lease.taken"))
    assert told.wait(PATIENCE)
    told.clear()
    reporter.close()
    assert told.wait(PATIENCE)
    release.set()
    reporter._thread.join(PATIENCE)

    first, second = said[1], said[2]
    assert (first["event"], first["during"]) == ("listener.hung", "worker.ready")
    assert first["waited"] == reporting.STUCK_SECONDS + 1.0
    assert second["event"] == "companion.unfinished"
    names = [str(first["listener"]), str(second["companion"])]
    assert all(each.endswith(who) for each in names)
    assert sum(each["event"] == "listener.hung" for each in said) == 1
    assert crashes.all == []
