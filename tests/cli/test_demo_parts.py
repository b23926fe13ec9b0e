"""Would the demo notice a broken promise? Its parts, one by one."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kcl_py.cli.demo import processor as demo_processor
from kcl_py.cli.demo.fleet import wait_until
from kcl_py.cli.demo.processor import PeopleAverage, Sum, connect, read_sum
from kcl_py.cli.demo.producer import PeopleProducer
from kcl_py.cli.demo.report import Act, Outcome, show
from kcl_py.testing import make_batch
from kcl_py.testing.audit.auditor import Takeover, Verdict

MOVE = Takeover(
    key="s0", old_worker="a", old_token=1, new_worker="b", new_token=2, at=9.0, gap=1.5,
    clean=False, duplicates=7, fault="kill -9 a", since_fault=2.5,
)  # fmt: skip
FINE = Outcome(
    acts=[Act(name="kill -9 of a worker", settled=3.5)],
    verdict=Verdict(written=10, delivered=10, handed=17, takeovers=[MOVE]),
    stored=Sum(count=10, ages=400),
    written=Sum(count=10, ages=400),
    exit_codes={"worker-1": 0},
    seconds=20.0,
)


def with_verdict(**changes: Any) -> Outcome:
    return replace(FINE, verdict=replace(FINE.verdict, **changes))


def test_duplicates_after_a_kill_break_no_promise() -> None:
    assert FINE.ok


@pytest.mark.parametrize(
    "broken",
    [
        with_verdict(lost=["s0: 1/0 was written and never handed over"]),
        with_verdict(skipped=["x"]),
        with_verdict(order=["x"]),
        with_verdict(parents=["x"]),
        with_verdict(overlap=["x"]),
        with_verdict(written=0),
        with_verdict(takeovers=[replace(MOVE, clean=True)]),
        replace(FINE, stored=Sum(count=10, ages=401)),
        replace(FINE, stored=Sum(count=9, ages=400)),
        replace(FINE, exit_codes={"worker-1": 0, "worker-2": 70}),
        replace(FINE, exit_codes={}),
    ],
)
def test_each_broken_promise_is_noticed(broken: Outcome) -> None:
    assert not broken.ok
    assert [check.ok for check in broken.checks].count(False) == 1


def test_the_screen_says_why_records_came_twice() -> None:
    said = io.StringIO()
    show(Console(file=said, width=120), FINE)

    assert "7 records came twice after kill -9 a" in said.getvalue()
    assert "every promise was kept" in said.getvalue()
    assert len(said.getvalue().splitlines()) < 40


def test_the_outcome_is_json() -> None:
    said = json.loads(json.dumps(FINE.to_dict()))

    assert said["ok"] is True
    assert said["records"]["duplicates"] == {"kill -9 a": 7}


def test_a_record_that_comes_twice_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "people.sqlite"
    monkeypatch.setenv(demo_processor.DATABASE_VARIABLE, str(path))
    people = [{"number": n, "name": "Ada", "age": 10 * n, "city": "Accra"} for n in (1, 2)]
    batch, _ = make_batch(people)
    processor = PeopleAverage()

    processor.initialize(batch.shard)
    processor.process_records(batch)
    processor.process_records(batch)
    processor.close()

    with connect(path) as database:
        assert read_sum(database) == Sum(count=2, ages=30)
    database.close()


class Stream:
    """Answers PutRecords: as told, then well for ever."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.taken: list[int] = []

    def put_records(self, *, StreamName: str, Records: Sequence[Mapping[str, Any]]) -> Any:  # noqa: N803
        how = self._answers.pop(0) if self._answers else "well"
        if how == "lost":
            raise ConnectionError
        results: list[Mapping[str, str]] = []
        for index, record in enumerate(Records):
            if how == "partly" and index % 2:
                results.append({"ErrorCode": "ProvisionedThroughputExceededException"})
                continue
            self.taken.append(json.loads(record["Data"])["number"])
            results.append({"ShardId": "s0", "SequenceNumber": str(len(self.taken))})
        return {"Records": results}


@pytest.mark.parametrize("how", ["well", "partly", "lost"])
def test_the_producer_knows_exactly_what_was_accepted(tmp_path: Path, how: str) -> None:
    stream = Stream(how, how)
    log = tmp_path / "written.jsonl"
    producer = PeopleProducer(stream, "people", log=log, rate=1000.0, interval=0.01)

    producer.start()
    wait_until(lambda: len(producer.written) > 50, "50 are written", timeout=30.0)
    producer.stop()

    numbers = [record.number for record in producer.written]
    assert numbers == stream.taken
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert [json.loads(line)[2] for line in log.read_text().splitlines()] == numbers
    assert len(producer.by_shard()["s0"]) == len(numbers)
    assert producer.ages == sum(record.age for record in producer.written)
