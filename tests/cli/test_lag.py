"""Does `kcl lag` say how far behind an application is, and when it does not know?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from kcl_py.admin.lag import FROM_OLDEST, Place
from kcl_py.aws.peeking import Peek
from kcl_py.cli.looking.lag import look
from kcl_py.core.commands import Start, StartKind
from kcl_py.core.events import Failure, FailureKind
from kcl_py.local.process import EngineProcess
from tests.cli.fleets import App, eventually, rows_of
from tests.cli.typed import Kcl

FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"


@pytest.fixture
def app(at_engine: EngineProcess, clients: Mapping[str, Any]) -> App:
    made = App(at_engine.endpoint_url, clients)
    made.create_stream(2)
    return made


def test_a_stopped_fleet_lags_by_the_age_of_what_waits(kcl: Kcl, app: App) -> None:
    app.put("a", "b", "c", "d")
    app.run_until(lambda: len(app.seen) == 4)
    at = ("--app", app.name)
    before = kcl("lag", *at, "--max", "0", "-o", "jsonl")
    assert before.code == 0, before.err
    assert {row["lag"] for row in rows_of(before.out).values()} == {0.0}

    [(shard, _)] = app.put("e")
    typed = eventually(lambda: _beyond(kcl("lag", *at, "--max", "0", "--json")))

    found = json.loads(typed.out)
    lags = {row["shard"]: row for row in found["shards"]}
    other = FIRST if shard == SECOND else SECOND
    assert "more than 0 s" in typed.err
    assert lags[shard]["waiting"] is True
    assert found["total"]["seconds"] == lags[shard]["lag"] > 0
    assert (lags[other]["lag"], lags[other]["waiting"]) == (0.0, False)
    assert kcl("lag", *at, "--max", "1h").code == 0


def _beyond(typed: Any) -> Any:
    return typed if typed.code == 1 else None


def test_shards_after_a_split_count_before_they_have_a_lease(kcl: Kcl, app: App) -> None:
    app.run_until(lambda: app.is_synced)
    kcl("stream", "split", FIRST, "--stream", app.name, "--wait")
    app.put("a", "b", "c", "d")

    rows = rows_of(kcl("lag", "--app", app.name, "-o", "jsonl").out)

    stages = {shard[-1]: row["stage"] for shard, row in rows.items()}
    assert stages == {"0": "not begun", "1": "not begun", "2": "no lease yet", "3": "no lease yet"}


def test_what_cannot_be_read_is_not_called_zero(
    kcl: Kcl, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.run_until(lambda: app.is_synced)
    monkeypatch.setattr(
        "kcl_py.aws.peeking.Peeker.peek",
        lambda *_: Failure(FailureKind.DENIED, "kinesis:GetRecords", "not yours"),
    )

    typed = kcl("lag", "--app", app.name, "--max", "0", "--json")

    assert typed.failed(3, "2 shards could not be found out")
    found = json.loads(typed.out)
    assert found["total"] == {"seconds": None, "finished": 0, "unknown": 2}
    assert all("not yours" in row["trouble"] for row in found["shards"])


def test_a_stranger_is_refused(kcl: Kcl, app: App) -> None:
    at = ("--app", app.name)
    assert kcl("lag", *at).failed(3, f"no lease table {app.name}")
    app.run_until(lambda: app.is_synced)
    assert kcl("lag", *at, "--stream", "other").failed(2, "not other")
    assert kcl("lag", *at, "--max", "soon").failed(2, "--max soon")


class Answers:
    def __init__(self, *answers: Peek | Failure) -> None:
        self.answers = list(answers)
        self.asked: list[Start] = []

    def peek(self, shard_id: str, start: Start) -> Peek | Failure:
        self.asked.append(start)
        return self.answers.pop(0)


AFTER = Start(kind=StartKind.AFTER, sequence_number="7")
PLACE = Place(shard_id="s0", stage="begun", checkpoint="7/0", start=AFTER)


def test_a_forgotten_checkpoint_counts_from_the_oldest_record() -> None:
    invalid = Failure(FailureKind.INVALID, "kinesis:GetShardIterator", "no such number")
    seen = Peek(2.0, "9", 100.0, 105.0, has_ended=False)
    peeker = Answers(invalid, seen)

    found = look(peeker, PLACE)  # type: ignore[arg-type]  # what a Peeker does

    assert peeker.asked == [AFTER, FROM_OLDEST]
    assert found.seconds == 5.0
    assert "forgotten" in (found.trouble or "")


@pytest.mark.parametrize(
    ("peek", "seconds"),
    [
        (Peek(0.0, None, None, 9.0, has_ended=False), 0.0),
        (Peek(3.0, None, None, 9.0, has_ended=False), 3.0),
        (Peek(0.0, "1", 4.0, 9.0, has_ended=False), 5.0),
        (Peek(7.0, "1", 4.0, 9.0, has_ended=False), 7.0),
        (Peek(0.0, "1", 9.5, 9.0, has_ended=True), 0.0),
        (Peek(2.0, "1", 4.0, None, has_ended=False), 2.0),
    ],
)
def test_the_lag_is_the_age_of_what_is_next(peek: Peek, seconds: float) -> None:
    assert peek.lag == seconds
