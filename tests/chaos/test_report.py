"""Does a broken promise show in what a chaos run reports? Each is planted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kcl_py.testing.audit.verdict import Verdict
from tests.chaos.complaints import read_complaints
from tests.chaos.done import DoneLog, read_done
from tests.chaos.report import Outcome, spread

GOOD = Outcome(
    seed=1,
    seconds=60.0,
    verdict=Verdict(written=2, delivered=2, handed=2),
    deeds={"kill": 1},
    left_out={},
    struck={},
    requests=100,
    workers=3,
    gave_up=0,
    recovered=1.0,
    done={("s0", 1), ("s0", 2)},
    written={"s0": ["1", "2"]},
    others=(),
)


def verdict(**broken: Sequence[str]) -> Verdict:
    return replace(GOOD.verdict, **broken)  # type: ignore[arg-type]


def test_a_good_run_has_no_violations() -> None:
    assert GOOD.violations == []
    assert GOOD.figures()["violations"] == 0


def test_a_record_that_user_code_never_finished_is_a_violation() -> None:
    outcome = replace(GOOD, done={("s0", 1)})

    assert outcome.violations == ["s0: 2 was never finished by user code"]
    assert outcome.figures()["unfinished"] == 1


def test_whatever_the_auditor_finds_is_a_violation() -> None:
    for name in ("lost", "skipped", "order", "overlap", "parents"):
        assert replace(GOOD, verdict=verdict(**{name: ["bad"]})).violations == ["bad"]


def test_no_recovery_and_bad_ends_are_violations() -> None:
    outcome = replace(GOOD, others=["w1 ended", "w2 ended"])

    assert len(outcome.violations) == 2
    assert outcome.lines()[-2:] == ["VIOLATION w1 ended", "VIOLATION w2 ended"]


def test_a_run_in_which_nothing_was_written_proves_nothing() -> None:
    outcome = replace(GOOD, verdict=replace(GOOD.verdict, written=0), written={})

    assert outcome.violations == ["nothing was written"]


def test_percentiles_are_by_nearest_rank() -> None:
    assert spread([]) == {}
    assert spread([3.0]) == {"count": 1, "p50": 3.0, "p99": 3.0, "max": 3.0}
    assert spread([float(n) for n in range(1, 201)])["p99"] == 198.0


def test_what_was_finished_survives_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "w1.done"
    DoneLog(str(path)).note("s0", ["1", "2"])
    with path.open("a") as file:
        file.write("s0 3")

    assert read_done([path]) == {("s0", 1), ("s0", 2)}


def test_tracebacks_and_crashes_are_complaints_and_warnings_are_none(tmp_path: Path) -> None:
    path = tmp_path / "w1.log"
    path.write_text(
        '{"event": "lease.lost", "level": "warning"}\n'
        '{"event": "thread.crashed", "level": "error"}\n'
        "error: AWS did not answer\n"
        "Traceback (most recent call last):\n"
        '{"event": "thread.cra'
    )

    complaints = read_complaints([path])

    assert [text.partition(" said: ")[0] for text in complaints] == ["w1", "w1"]
    assert "thread.crashed" in complaints[0]
    assert "Traceback" in complaints[1]
