"""Do the benchmarks judge and render as they say? What they measure is not asked here."""

from __future__ import annotations

import importlib
import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.aws.decode import decode_records
from tests.bench import __main__ as command
from tests.bench import idle, latency
from tests.bench.figures import Figure, Report, Target, markdown, short, spread
from tests.bench.page import with_table
from tests.bench.pages import Pages, iterator, page_after, place_of
from tests.bench.server import Gaps, front_with
from tests.bench.watched import Look, all_read, between
from tests.bench.workers import SENT_AT

SAMPLES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=9).map(tuple)
SHARD = "shardId-000000000007"


# ----------------------------------------------------------------------------------------- figures


@given(SAMPLES)
def test_a_median_has_as_many_samples_above_as_below(samples: tuple[float, ...]) -> None:
    median = Figure(what="", unit="s", samples=samples).median

    assert sum(it < median for it in samples) <= len(samples) / 2
    assert sum(it > median for it in samples) <= len(samples) / 2


@given(st.lists(st.tuples(st.floats(0.1, 9), st.floats(0.1, 9)), min_size=1))
def test_a_ratio_is_taken_round_by_round(pairs: list[tuple[float, float]]) -> None:
    mine = Figure(what="", unit="s", samples=tuple(pair[0] for pair in pairs))
    theirs = Figure(what="", unit="s", samples=tuple(pair[1] for pair in pairs))

    assert mine.over(theirs) == tuple(a / b for a, b in pairs)


def test_rounds_that_are_missing_are_no_ratio() -> None:
    mine = Figure(what="", unit="s", samples=(1.0, 2.0))

    with pytest.raises(ValueError, match="shorter"):
        mine.over(Figure(what="", unit="s", samples=(1.0,)))


def test_a_page_gets_the_table_between_the_marks_of_its_benchmark_and_nothing_else() -> None:
    page = "a\n<!-- bench: x -->\nold\n<!-- end -->\nb\n<!-- bench: y -->\n<!-- end -->\n"
    report = Report(name="x", title="X \\1", skipped=["somebody"])

    changed = with_table(page, report)

    assert changed == page.replace("old\n", markdown(report) + "\n")
    assert with_table(changed, report) == changed
    with pytest.raises(ValueError, match="0 places"):
        with_table(page, Report(name="z", title="Z"))


@pytest.mark.parametrize(
    ("sense", "samples", "is_met"),
    [
        ("at least", (1.0, 2.0, 9.0), True),
        ("at least", (1.0, 1.9, 9.0), False),
        ("at most", (1.0, 2.0, 9.0), True),
        ("at most", (1.0, 2.1, 2.1), False),
    ],
)
def test_a_target_is_judged_by_the_median(
    sense: Literal["at least", "at most"], samples: tuple[float, ...], *, is_met: bool
) -> None:
    target = Target(what="", samples=samples, limit=2.0, sense=sense)

    assert target.is_met is is_met
    assert target.describe()["is_met"] is is_met


def test_numbers_have_the_digits_that_mean_something() -> None:
    assert [short(it) for it in (0.0, 0.01234, 1.0, 3.456, 34.56, 345.6, 34567.0)] == [
        "0", "0.0123", "1", "3.46", "34.6", "346", "34,567",
    ]  # fmt: skip
    assert spread((3.0, 1.0, 2.0)) == "2 [1-3]"


def test_a_table_has_everything_that_was_found() -> None:
    report = fake_report(9.0)
    report.skipped.append("somebody: not here")

    text = markdown(report)

    assert "| how long | 9 [9-9] | s |" in text
    assert "| not too long | at most 5 s | 9 [9-9] | **no** |" in text
    assert "Not measured: somebody: not here" in text


# ----------------------------------------------------------------------------------------- command


def fake_report(seconds: float) -> Report:
    return Report(
        name="fake",
        title="Fake",
        figures=[Figure(what="how long", unit="s", samples=(seconds,))],
        targets=[
            Target(what="not too long", samples=(seconds,), limit=5.0, sense="at most", unit="s")
        ],
    )


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The command with one benchmark, which finds what it is told to."""
    told = SimpleNamespace(seconds=1.0, sessions=[])

    def run(session: Any) -> Report:
        told.sessions.append(session)
        return fake_report(told.seconds)

    fake = ModuleType("fake_bench")
    monkeypatch.setattr(fake, "run", run, raising=False)
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    monkeypatch.setattr(command, "BENCHES", {"fake": fake.__name__})
    monkeypatch.setattr(command, "make_certificate", lambda folder: folder)
    return told


@pytest.mark.parametrize(
    ("seconds", "arguments", "code"),
    [(9.0, ["--check"], 1), (9.0, [], 0), (1.0, ["--check"], 0)],
)
def test_a_missed_promise_is_an_exit_code_if_asked_for(
    bench: SimpleNamespace,
    capsys: pytest.CaptureFixture[str],
    seconds: float,
    arguments: list[str],
    code: int,
) -> None:
    bench.seconds = seconds

    assert command.main(["fake", *arguments]) == code

    said = capsys.readouterr()
    assert "### Fake" in said.out
    assert ("missed: not too long: 9, at most 5" in said.err) is (seconds > 5)


def test_json_has_the_samples_and_nothing_else_is_printed(
    bench: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--json", "--quick"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert [it["figures"][0]["samples"] for it in found["reports"]] == [[1.0]]
    assert [session.quick for session in bench.sessions] == [True]


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["raed"])

    assert ended.value.code == 2
    assert "there is no benchmark raed; there are read, " in capsys.readouterr().err


def test_every_benchmark_is_a_module_that_can_be_run() -> None:
    for name in command.BENCHES.values():
        assert callable(importlib.import_module(name).run)


# ------------------------------------------------------------------------------------------- pages


@given(st.integers(1, 5), st.integers(0, 300), st.integers(1, 4))
def test_pages_are_read_in_order_to_their_end(records: int, size: int, count: int) -> None:
    pages = Pages(records=records, record_bytes=size, count=count)
    positions, page = [], 0
    for number in range(count):
        answer = decode_records(pages.answer(SHARD, page)).answer
        assert [len(it.data) for it in answer.records] == [size] * records
        assert (answer.millis_behind_latest == 0) is (number == count - 1)
        positions += [it.position for it in answer.records]
        shard_id, page = place_of(str(answer.next_shard_iterator))
        assert shard_id == SHARD
        assert page == page_after(answer.records[-1].sequence_number) == number + 1

    assert positions == sorted(set(positions))
    end = decode_records(pages.answer(SHARD, page)).answer
    assert len(end.records) == 0
    assert end.millis_behind_latest == 0
    assert place_of(str(end.next_shard_iterator)) == (SHARD, count)


def test_an_iterator_finds_its_way_back() -> None:
    assert place_of(iterator(SHARD, 12)) == (SHARD, 12)


# ------------------------------------------------------------------------------------------ server


def test_gaps_are_those_of_rows_of_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("tests.bench.server.time.monotonic", lambda: now[0])
    gaps = Gaps()
    for at, key in ((0, "shardId-1"), (1, "shardId-2"), (2, "someworker"), (3, "shardId-1")):
        now[0] = float(at)
        gaps.written(key)

    assert gaps.longest() == [3.0, 2.0]

    now[0] = 5.0
    gaps.forget()

    assert gaps.longest() == [2.0, 4.0]


def test_the_server_lists_as_many_shards_as_asked_for() -> None:
    front = front_with(Pages(records=1, record_bytes=1, count=0), 1_000)

    assert len(front.kinesis.call("ListShards", {"StreamName": "people"})["Shards"]) == 1_000


# ----------------------------------------------------------------------------------------- watching


def look(**changes: Any) -> Look:
    facts: dict[str, Any] = {
        "before": (1.0, 10.0),
        "records": 0,
        "lost": 0,
        "waits": (),
        "state": "running",
        "held": 2,
        "reading": 2,
        "at_tip": 2,
        "fence_in": 9.0,
        "rss_mib": 1.0,
        "rss_mib_max": 1.0,
        "after": (1.5, 10.5),
    }
    return Look(**(facts | changes))


def test_what_looking_costs_is_not_counted() -> None:
    spent = between(look(), look(before=(3.5, 14.5), after=(9.0, 19.0), records=7))

    assert (spent.cpu, spent.wall, spent.records, spent.percent) == (2.0, 4.0, 7, 50.0)


def test_workers_have_settled_when_all_is_read_and_shared_fairly() -> None:
    settled = all_read(4)

    assert settled([look(), look()])
    assert not settled([look(), look(held=1, reading=1)])
    assert not settled([look(held=4, reading=4), look(held=0, reading=0)])
    assert not settled([look(), look(reading=1)])
    assert not settled([look(), look(state="starting")])


def test_a_quantile_is_a_value_that_so_many_do_not_exceed() -> None:
    values = [float(it) for it in range(1, 101)]

    assert latency.quantile(values, 0.50) == 50.0
    assert latency.quantile(values, 0.99) == 99.0
    assert latency.quantile([3.0], 0.99) == 3.0


def test_renewals_are_late_after_the_fence() -> None:
    assert idle.GAP_SECONDS_MAX == 9.5


def test_a_put_time_survives_the_way() -> None:
    assert SENT_AT.unpack_from(SENT_AT.pack(123.456))[0] == 123.456
