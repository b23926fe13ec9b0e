"""What does `kcl top` show, live and once?"""

from __future__ import annotations

import io
import itertools
import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from kcl_py.cli.looking.table_view import TableView
from kcl_py.cli.looking.top import look_again
from kcl_py.cli.looking.top_picture import BLOCKS, Looks, blocks, picture
from kcl_py.core.leases.rows import LeaseRow, Sentinel
from kcl_py.errors import AccessDenied, KclError, Throttled, Unavailable
from kcl_py.local.process import EngineProcess
from tests.cli.fleets import App, eventually
from tests.cli.terminal import Terminal, programs_in
from tests.cli.typed import Kcl

if TYPE_CHECKING:
    from kcl_py.cli.looking.access import Access

FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"


@pytest.fixture
def app(at_engine: EngineProcess, clients: Mapping[str, Any]) -> App:
    made = App(at_engine.endpoint_url, clients)
    made.create_stream(2)
    return made


def test_once_it_says_who_has_what_and_how_far_behind(kcl: Kcl, app: App) -> None:
    app.put("a", "b", "c")
    with app.worker() as worker:
        eventually(lambda: app.is_synced and len(app.seen) == 3)
        drawn = kcl("top", "--app", app.name)
        facts = json.loads(kcl("top", "--app", app.name, "-o", "json").out)

    assert "1 worker " in drawn.out
    assert FIRST in drawn.out
    assert SECOND in drawn.out
    assert [row["worker"] for row in facts["workers"]] == [worker.worker_id]
    assert {row["owner"] for row in facts["leases"]} == {worker.worker_id}
    rows = [line for line in drawn.out.splitlines() if line.startswith("shardId-")]
    assert len(rows) == 2
    assert all(line.rstrip().endswith((" ago", "none yet")) for line in rows), rows
    assert all(row["lag"] is not None for row in facts["leases"])


def test_lines_of_json_are_leases_one_a_line(kcl: Kcl, app: App) -> None:
    with app.worker() as worker:
        eventually(lambda: app.is_synced)
        typed = kcl("top", "--app", app.name, "-o", "jsonl")

    rows = [json.loads(line) for line in typed.out.splitlines()]
    assert [(row["lease_key"], row["owner"]) for row in rows] == [
        (FIRST, worker.worker_id),
        (SECOND, worker.worker_id),
    ]


@pytest.mark.parametrize("command", [("top",), ("workers",), ("leases",), ("doctor",)])
def test_one_look_without_an_answer_does_not_end_the_looking(
    kcl: Kcl,
    app: App,
    at_engine: EngineProcess,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    def throttled_once(seconds: float) -> None:
        if not struck and threading.current_thread() is threading.main_thread():
            struck.append(seconds)
            rule = {"kind": "throttle", "operations": ["Scan"], "count": 3, "source": "looker"}
            at_engine.set_faults([rule])
        really(seconds)

    struck: list[float] = []
    really = time.sleep
    with app.worker():
        eventually(lambda: app.is_synced)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "looker")
        monkeypatch.setattr(time, "sleep", throttled_once)
        try:
            typed = kcl(*command, "--app", app.name, "--stream", app.name, "-o", "json")
            [rule] = at_engine.faults()
        finally:
            at_engine.set_faults([])

    assert rule["hits"] == 3
    assert typed.code == 0, typed.err
    assert '"live"' in typed.out or '"workers"' in typed.out


def test_an_application_that_is_not_there(kcl: Kcl, app: App) -> None:
    assert kcl("top", "--app", app.name).failed(3, f"no lease table {app.name}")


def test_on_a_terminal_it_draws_until_it_is_interrupted(
    app: App, at_engine: EngineProcess, tmp_path: Path
) -> None:
    app.run_until(lambda: app.is_synced)
    path = programs_in(tmp_path / "bin")
    environment = {**at_engine.environment, "PATH": path, "TERM": "xterm", "COLUMNS": "160"}
    with Terminal(["kcl", "top", "--app", app.name], {**environment, "LINES": "40"}) as terminal:
        first = terminal.until(SECOND)
        terminal.until(SECOND)  # drawn again
        terminal.type("\x03")
        terminal.rest()

        assert terminal.code == 0
    assert "0 workers" in first
    assert "nobody" in first


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_blocks_are_as_many_as_values_and_in_their_order(values: list[float]) -> None:
    drawn = blocks(values)
    heights = [BLOCKS.index(block) for block in drawn]
    assert len(drawn) == len(values)
    pairs = itertools.permutations(zip(values, heights, strict=True), 2)
    assert all(low <= high for (one, low), (other, high) in pairs if one < other)


@pytest.mark.parametrize("error", [Throttled("slow down"), Unavailable("no answer")])
def test_a_look_without_an_answer_leaves_the_board_and_is_told(error: KclError) -> None:
    row = LeaseRow(key="s0", counter=1, checkpoint=Sentinel.TRIM_HORIZON, owner="w")
    answers: list[dict[str, LeaseRow] | KclError] = [{"s0": row}, error, {"s0": row}]

    class Answering:
        def rows(self) -> dict[str, LeaseRow]:
            found = answers.pop(0)
            if isinstance(found, KclError):
                raise found
            return found

    view, looks, drawn = TableView(), Looks(), []
    for _ in range(3):
        look_again(view, cast("Access", Answering()), None, looks)
        console = Console(width=200, file=io.StringIO())
        console.print(picture("orders", view, looks, 0.0))
        drawn.append(console.file.getvalue())  # type: ignore[attr-defined]  # it is a StringIO

    assert all("s0" in each for each in drawn)
    assert [f"nothing new: {error}" in each for each in drawn] == [False, True, False]


def test_no_rights_any_more_end_the_board() -> None:
    class Denying:
        def rows(self) -> dict[str, LeaseRow]:
            raise AccessDenied("no", action="dynamodb:Scan")

    with pytest.raises(AccessDenied):
        look_again(TableView(), cast("Access", Denying()), None, Looks())
