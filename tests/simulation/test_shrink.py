"""Is a world that breaks a promise cut down to what matters, and told so that people see it?"""

from __future__ import annotations

from pathlib import Path

import pytest

from kcl_py.core.leases.desk import Desk
from kcl_py.testing.__main__ import main
from kcl_py.testing.seeds.plans import draw_plan, load_plan
from kcl_py.testing.seeds.shrink import shrink
from kcl_py.testing.seeds.simulate import simulate_plan
from kcl_py.testing.seeds.transcript import transcript


@pytest.fixture
def no_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a bug: a lease is held for longer than it lasts."""
    monkeypatch.setattr(Desk, "fence_of", lambda self, sent: sent + self.duration + 1.0)


@pytest.mark.usefixtures("no_margin")
def test_a_failing_world_becomes_small_and_fails_in_the_same_way() -> None:
    plan = draw_plan(7)
    before = simulate_plan(plan)
    assert before.failure is not None

    shrunk = shrink(plan, runs_max=60)

    assert shrunk.outcome.verdict == before.verdict
    assert len(shrunk.outcome.plan.deeds) <= len(plan.deeds)
    assert shrunk.outcome.plan.scale.workers <= plan.scale.workers
    assert shrunk.outcome.events < before.events
    assert shrunk.runs <= 60


def test_a_world_that_keeps_all_promises_cannot_be_shrunk() -> None:
    with pytest.raises(ValueError, match="nothing to shrink"):
        shrink(draw_plan(5))


@pytest.mark.usefixtures("no_margin")
def test_a_replay_saves_the_small_plan_and_its_transcript(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, text = tmp_path / "plan.json", tmp_path / "transcript.txt"

    code = main(
        ["simulate", "--replay", "7", "--shrink", "--save", str(plan), "--transcript", str(text)]
    )

    assert code == 1
    assert simulate_plan(load_plan(plan.read_bytes())).verdict == "I1"
    assert text.read_text().splitlines()[:2] == ["world seed=7", "----"]
    assert "ViolationError: I1" in text.read_text()
    assert main(["simulate", "--replay", str(plan)]) == 1
    assert "runs:" in capsys.readouterr().err


def test_a_transcript_has_a_command_for_each_deed() -> None:
    outcome = simulate_plan(draw_plan(11))

    text = transcript(outcome)

    happened = [deed for deed in outcome.plan.deeds if deed.at <= outcome.world.now]
    for deed in happened:
        assert f"\n{deed.name} at={deed.at:.3f}\n----\n" in text
    assert text.endswith("judge\n----\nall promises kept\n")
    assert " delivered " not in text
    assert " delivered " in transcript(outcome, everything=True)


def test_a_replay_says_that_there_is_nothing_to_cut_down(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["simulate", "--replay", "5", "--shrink"]) == 0

    told = capsys.readouterr()
    assert told.err == "seed 5 keeps all promises; there is nothing to shrink\n"
    assert "seed 5 kept all promises" in told.out
