"""Does the scale table add up? Small fleets, the units and rates, and what is shown."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from kcl_py.core.leases import scanner, stopping, taking
from kcl_py.testing.scale import departure, fleet, report, takeover
from kcl_py.testing.scale.actors import Assumptions, State
from kcl_py.testing.scale.command import add_arguments, run
from kcl_py.testing.scale.cpu import busy_with
from kcl_py.testing.scale.estimate import differences
from kcl_py.testing.scale.figures import Figures, Stopped, quantiles, simulate
from kcl_py.testing.scale.growth import exponent, growths
from kcl_py.testing.scale.prices import month_usd
from kcl_py.testing.scale.scenarios import SCENARIOS, make_run, play
from kcl_py.testing.scale.spend import java_2, java_3
from kcl_py.testing.scale.units import measured

ROOT = Path(__file__).resolve().parents[2]
SMALL = (10, 100)
MIDDLE = (20, 500)


def ticking() -> float:
    return float(next(_TICKS))


_TICKS = count()


def figures(
    scenario: str, size: tuple[int, int] = SMALL, *, seed: int = 1, tick: float = 0.0
) -> Figures:
    row = simulate(size, scenario, seed=seed, clock=ticking, assumptions=Assumptions(tick=tick))
    assert isinstance(row, Figures)
    return row


# ------------------------------------------------------------------------------------- scenarios


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_in_the_end_every_lease_is_held_and_the_fleet_is_even(scenario: str) -> None:
    run = make_run(3, *SMALL, Assumptions(), ticking)
    play(run, SCENARIOS[scenario], out_of_time=lambda: False)

    table = run.fleet.table
    running = [worker for worker in run.fleet.workers if worker.runs]
    held = [lease for lease in table.leases if lease.state is not State.ENDED]
    assert run.settled_at is not None
    assert all(lease.state is State.HELD and lease.owner in running for lease in held)
    counts = [sum(lease.owner is worker for lease in held) for worker in running]
    assert counts == [worker.count for worker in running]
    assert max(counts) - min(counts) <= 1
    assert table.moves >= run.ideal


def test_nothing_moves_in_a_steady_fleet() -> None:
    row = figures("steady", MIDDLE)

    assert (row.moves, row.refused, row.settled) == (0, 0, 0.0)


def test_a_join_moves_no_more_than_its_share() -> None:
    assert figures("join of 1", MIDDLE).moves == 500 // 21


def test_nobody_takes_a_lease_before_its_owner_has_passed_its_fence() -> None:
    run = make_run(1, *MIDDLE, Assumptions(), ticking)
    play(run, SCENARIOS["zone lost"], out_of_time=lambda: False)

    # Last renewed up to a third of the duration before the death, and not before that expired.
    assert len(run.dark) == 150
    assert min(run.dark) > 10.0 - 10.0 / 3


def test_numbers_that_production_keeps_to_itself_are_the_same_here() -> None:
    assert takeover.FALLBACK_STEP == taking._FALLBACK_STEP
    assert takeover.ROUND == taking._ROUND
    assert departure._LOOK_MAX == stopping._LOOK_MAX
    assert fleet._SCAN_JITTER == scanner._JITTER


def test_every_child_of_a_split_is_taken_once() -> None:
    run = make_run(1, *SMALL, Assumptions(), ticking)
    play(run, SCENARIOS["doubling of shards"], out_of_time=lambda: False)

    assert len(run.dark) == 200
    assert run.fleet.spent["end"] == 100
    assert run.fleet.spent["create"] == run.fleet.spent["take_free"] == 200


@pytest.mark.parametrize("scenario", ["kill of 1", "zone lost", "join of 10 %"])
def test_sharing_plans_within_a_tick_changes_little(scenario: str) -> None:
    exact = [figures(scenario, MIDDLE, seed=seed) for seed in range(3)]
    shared = [figures(scenario, MIDDLE, seed=seed, tick=1.0) for seed in range(3)]

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    def settled(rows: list[Figures]) -> float:
        return mean([row.settled for row in rows if row.settled is not None])

    assert sum(row.plans for row in shared) < sum(row.plans for row in exact)
    assert mean([r.moves for r in shared]) == pytest.approx(
        mean([r.moves for r in exact]), rel=0.15
    )
    assert settled(shared) == pytest.approx(settled(exact), rel=0.25)


# --------------------------------------------------------------------------------- units and rates


def test_writes_that_change_the_owner_cost_the_index_as_well() -> None:
    writes = measured().writes

    assert writes["renew"] == writes["transfer"] == writes["take_offered"] == writes["beat"] == 1.0
    assert writes["request"] == writes["release"] == writes["take_expired"] == 3.0


def test_a_scan_costs_half_a_unit_per_4_kib() -> None:
    units = measured()

    assert units.scan(500, 20) == pytest.approx(
        (500 * units.lease_bytes + 20 * units.worker_bytes) / 4096 / 2, abs=0.5
    )
    assert units.scan(500, 20, consistent=True) == 2 * units.scan(500, 20)
    assert units.pages(100_000, 1_000) == 41


def test_the_java_kcl_spends_what_its_intervals_say() -> None:
    two = java_2(20, 500, checkpoint_seconds=1.0)
    three = java_3(20, 500, checkpoint_seconds=10.0)

    assert two.writes == pytest.approx(500 / 3.308 + 500)
    assert two.usd == pytest.approx(1_077.5, rel=0.01)
    assert three.usd == pytest.approx(332.2, rel=0.01)


def test_a_month_of_one_write_a_second() -> None:
    assert month_usd(0.0, 1.0) == pytest.approx(1.6425)


def test_steady_units_are_those_of_the_protocol() -> None:
    row = figures("steady", MIDDLE)
    units = measured()

    assert row.spend.writes == pytest.approx((500 + 20) / (10 / 3), rel=0.01)
    scans = 20 / (10 / 3) * units.scan(500, 20)
    assert row.spend.reads == pytest.approx(scans + 20 * 0.5, rel=0.05)


# ---------------------------------------------------------------------------------------- growth


def test_the_growth_of_a_power_law_is_found() -> None:
    assert exponent([(x, 3 * x**1.5) for x in (10, 100, 1000)]) == pytest.approx(1.5)


def test_scans_are_seen_to_grow_faster_than_the_fleet() -> None:
    rows = [figures("steady", (4 * k, 40 * k)) for k in (1, 4, 16)]

    faster = {growth.figure for growth in growths(rows) if growth.is_faster}
    assert "read units/s" in faster
    assert "write units/s" not in faster


def test_quantiles_are_values_that_were_there() -> None:
    assert quantiles([]) is None
    assert quantiles([3.0, 1.0, 2.0]) == (2.0, 3.0, 3.0)


# ----------------------------------------------------------------------------------------- command


def command(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def test_rows_that_were_not_reached_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--sizes", "10x100", "--scenarios", "steady", "--budget", "0") == 0

    assert report.STOPPED in capsys.readouterr().out


def test_a_run_that_is_cut_off_says_so() -> None:
    row = simulate(MIDDLE, "zone lost", seed=1, clock=ticking, until=ticking() + 20)

    assert isinstance(row, Stopped)


def test_json_has_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--sizes", "10x100", "--scenarios", "steady", "kill of 1", "--json") == 0

    found = json.loads(capsys.readouterr().out)
    assert [row["scenario"] for row in found["rows"]] == ["steady", "kill of 1"]
    assert found["rows"][1]["moves"] >= 10
    assert [one["size"] for one in found["busy"]] == [[10, 100]]


@pytest.mark.parametrize("size", ["10", "axb", "2x10", "10x0"])
def test_a_wrong_size_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command("--sizes", size)

    assert stopped.value.code == 2
    assert size in capsys.readouterr().err


def test_a_page_is_written_again_in_the_same_place(tmp_path: Path) -> None:
    page = tmp_path / "scale.md"
    page.write_text(f"# Title\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter.\n", "utf-8")

    for _ in range(2):
        assert (
            command("--sizes", "10x100", "--scenarios", "stop of 1", "--markdown", str(page)) == 0
        )
    written = page.read_text("utf-8")
    assert "old" not in written
    assert written.startswith("# Title\n")
    assert written.endswith("\nAfter.\n")
    assert written.count(report.BEGIN) == written.count(report.END) == 1


TWICE = ("--sizes", "10x100", "--scenarios", "zone lost", "surge deploy", "--json")


def test_one_seed_is_one_table_in_every_process() -> None:
    def rows(hash_seed: str) -> list[dict[str, object]]:
        done = subprocess.run(
            [sys.executable, "-m", "kcl_py.testing", "scale", *TWICE],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
        )
        found: list[dict[str, object]] = json.loads(done.stdout)["rows"]
        return [{k: v for k, v in row.items() if k != "plan_seconds"} for row in found]

    assert rows("1") == rows("2")


def test_differences_to_the_earlier_estimate_are_marked() -> None:
    found = {(d.scenario, d.figure): d for d in differences([figures("join of 1", MIDDLE)])}

    assert not found["join of 1", "moves"].differs
    assert found["join of 1", "settled, s"].differs


def test_a_look_at_the_table_is_measured() -> None:
    busy = busy_with(SMALL, ticking)

    assert busy.decode > 0
    assert busy.share == (busy.decode + busy.notice + busy.review) / busy.interval
