"""How do the parts of the shell make one running worker, and how does that end?"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf

import pytest
from structlog.testing import capture_logs

from kcl_py.core.commands import (
    Command,
    DescribeTable,
    Fetch,
    FindOwned,
    Finish,
    ListShards,
    ReadRows,
    ScanRows,
    Start,
    StartKind,
    WriteRow,
)
from kcl_py.core.events import (
    Applied,
    CallReturned,
    Event,
    OwnedFound,
    PageFetched,
    RowsRead,
    RowsScanned,
    RowWritten,
    ScanEnded,
    ShardsListed,
    StopAsked,
    TableDescribed,
    ThreadCrashed,
)
from kcl_py.core.leases.rows import WorkerState
from kcl_py.core.leases.writes import beat
from kcl_py.errors import WorkerFailed
from kcl_py.processor import Batch
from kcl_py.shell.clock import SYSTEM_CLOCK
from kcl_py.shell.shell import Crashed, Shell
from tests.shell.tools import (
    PATIENCE,
    EmptyTable,
    ScriptedCore,
    close,
    deliver,
    job,
    start_run,
)


@pytest.fixture
def shell() -> Iterator[Shell]:
    shell = Shell(SYSTEM_CLOCK, {"worker_id": "w-1"})
    yield shell
    shell.reporter.close()


def nothing(batch: Batch) -> None:
    """Process nothing."""


def test_every_question_of_the_core_is_answered_once(shell: Shell) -> None:
    write = WriteRow(1, beat("w-1", seen=1, state=WorkerState.RUNNING), inf)
    fetch = Fetch(
        fetch_id=7,
        key="k",
        shard_id="s",
        iterator=None,
        start=Start(kind=StartKind.TRIM_HORIZON),
        records_max=1,
    )
    questions: list[Command] = [
        write,
        ScanRows(2, consistent=True),
        ReadRows(3, ("a",)),
        FindOwned(4, "w-1"),
        DescribeTable(5),
        ListShards(6),
        fetch,
    ]
    answers: list[Event] = []

    def react(event: Event) -> Sequence[Command]:
        if type(event).__name__ not in ("Woken", "WallRead"):
            answers.append(event)
        return [Finish()] if len(answers) == len(questions) + 1 else []

    assert shell.run(ScriptedCore(react, first=questions), job(nothing)) is None

    assert RowWritten(1, Applied(None)) in answers
    assert answers.index(RowsScanned(2, ())) < answers.index(ScanEnded(2, None))
    assert RowsRead(3, (), ("a",)) in answers
    assert OwnedFound(4, ()) in answers
    assert TableDescribed(5, "table-1") in answers
    assert ShardsListed(6, (), 1.0) in answers
    assert [event.fetch_id for event in answers if isinstance(event, PageFetched)] == [7]


def test_a_whole_life_ends_cleanly(shell: Shell) -> None:
    seen: list[int] = []

    def process(batch: Batch) -> None:
        seen.append(len(list(batch)))

    def react(event: Event) -> Sequence[Command]:
        match event:
            case CallReturned(method="initialize"):
                return [deliver(3)]
            case CallReturned(method="process_records"):
                return [close()]
            case CallReturned(method="close"):
                return [Finish()]
            case _:
                return []

    core = ScriptedCore(react, first=[start_run()])
    assert shell.run(core, job(process)) is None
    assert seen == [3]


def test_a_bug_of_the_core_fences_everything_and_is_told_with_its_traceback(shell: Shell) -> None:
    entered, release, left = threading.Event(), threading.Event(), threading.Event()
    seen: list[str] = []

    def process(batch: Batch) -> None:
        for record in batch:
            seen.append(record.sequence_number)
            entered.set()
            release.wait(PATIENCE)
        left.set()

    def react(event: Event) -> Sequence[Command]:
        if isinstance(event, CallReturned):
            return [deliver(3)]
        if isinstance(event, StopAsked):
            raise ZeroDivisionError("the bug")
        return []

    ended: list[object] = []

    def run() -> None:
        ended.append(shell.run(ScriptedCore(react, first=[start_run()]), job(process)))

    with capture_logs() as lines:
        thread = threading.Thread(target=run)
        thread.start()
        assert entered.wait(PATIENCE)
        shell.mailbox.put(StopAsked())
        threading.Timer(0.1, release.set).start()
        thread.join(PATIENCE)
        shell.reporter.close()

    (error,) = ended
    assert isinstance(error, Crashed)
    assert error.exit_code == 70
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert seen == ["1"]
    assert not left.is_set()
    (line,) = [line for line in lines if line["event"] == "thread.crashed"]
    assert "the bug" in line["traceback"]
    assert line["log_level"] == "error"


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_crash_of_any_thread_is_an_event_for_the_core(
    shell: Shell, kind: type[BaseException]
) -> None:
    class Broken(EmptyTable):
        def describe(self) -> object:  # type: ignore[override]  # it never returns
            raise kind("broken")

    def react(event: Event) -> Sequence[Command]:
        return [Finish(WorkerFailed("why"))] if isinstance(event, ThreadCrashed) else []

    core = ScriptedCore(react, first=[DescribeTable(1)])
    broken = replace(job(nothing), table_port=Broken())  # type: ignore[arg-type]  # as above
    error = shell.run(core, broken)

    assert isinstance(error, Crashed)
    assert isinstance(error.__cause__, kind)
    (crash,) = [event for _, event in core.told if isinstance(event, ThreadCrashed)]
    assert crash.thread == "kcl-table-0"
    assert crash.summary == kind.__name__


def test_the_error_of_the_core_is_passed_on_as_it_is(shell: Shell) -> None:
    problem = WorkerFailed("the table has gone")
    core = ScriptedCore(lambda _: [], first=[Finish(problem)])

    assert shell.run(core, job(nothing)) is problem


def test_no_thread_is_left_when_a_worker_has_ended(shell: Shell) -> None:
    before = set(threading.enumerate())
    core = ScriptedCore(
        lambda event: [Finish()] if isinstance(event, CallReturned) else [],
        first=[start_run(), DescribeTable(1), ListShards(2)],
    )
    shell.run(core, job(nothing))

    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
        assert not thread.is_alive(), thread.name
