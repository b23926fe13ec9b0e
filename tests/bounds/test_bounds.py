"""Does the fleet keep the published times at D = 10 s?

Under `-m bounds`, alone on the machine: one fleet lives through five rounds of everything, and the
median of each kind is held against its bound plus the worst oversleep of a process that only
sleeps. The bounds are those of the design for fleets of up to 20 workers.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.process.campaign import Campaign, campaign
from tests.process.fleets import note

pytestmark = pytest.mark.bounds

ROUNDS = 5
DURATION = 10.0
SCAN_INTERVAL = DURATION / 3


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    directory: Path = tmp_path_factory.mktemp("bounds")
    with campaign(directory, duration=DURATION, workers=4, shards=8) as running:
        for _ in range(ROUNDS):
            running.kill()
            running.kills()
            running.freeze()
            running.sigterm()
            running.join()
            running.reshard()
    return running


@pytest.mark.parametrize(
    ("kind", "bound"),
    [
        ("kill", DURATION + 1.1 * SCAN_INTERVAL),
        ("kills", DURATION + 1.6 * SCAN_INTERVAL),
        ("freeze", DURATION + 1.1 * SCAN_INTERVAL),
        ("sigterm", 2.0),
        ("join", 2.0),
        ("reshard", 1.0),
    ],
)
def test_the_median_keeps_the_bound(lived: Campaign, kind: str, bound: float) -> None:
    times = lived.times(kind)
    note(f"bounds {kind}", list(times.runs))

    assert len(times.runs) >= ROUNDS
    assert times.median <= bound + lived.canary.worst, times


def test_nothing_was_lost_and_no_shard_had_two_owners(lived: Campaign) -> None:
    assert lived.verdict is not None
    assert list(lived.verdict.violations) == []


def test_moves_without_a_crash_cost_no_duplicate(lived: Campaign) -> None:
    assert lived.verdict is not None
    assert lived.verdict.duplicates_of_clean_moves == 0
    unclean = [move for move in lived.verdict.takeovers if not move.clean]
    assert all(move.fault is not None for move in unclean)
