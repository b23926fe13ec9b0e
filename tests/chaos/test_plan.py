"""Does a seed decide everything that will be done, and is everything that is promised in it?"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.chaos.kinds import KINDS
from tests.chaos.nemesis import DEEDS
from tests.chaos.plan import WORKERS_MAX, WORKERS_MIN, draw
from tests.chaos.processors import MAKERS


@pytest.mark.parametrize("rough", [False, True])
def test_the_same_seed_gives_the_same_plan(rough: bool) -> None:  # noqa: FBT001
    first = draw(7, seconds=600.0, duration=3.0, rough=rough)

    assert draw(7, seconds=600.0, duration=3.0, rough=rough) == first
    assert draw(8, seconds=600.0, duration=3.0, rough=rough) != first


def test_the_command_prints_the_same_plan_whatever_the_hash_seed() -> None:
    command = [sys.executable, "-m", "tests.chaos", "--plan", "--rough", "--seed=7"]
    said = [
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]

    assert said[0] == said[1]
    assert said[0].decode() == draw(7, seconds=60.0, duration=3.0, rough=True).describe() + "\n"


def test_an_hour_holds_every_deed_and_every_kind_of_processor() -> None:
    plain = draw(1, seconds=3600.0, duration=3.0)
    rough = draw(1, seconds=3600.0, duration=3.0, rough=True)
    seeds = [draw(seed, seconds=60.0, duration=3.0) for seed in range(20)]

    in_plain = {deed.kind for deed in plain.deeds}
    assert {"kill", "stop", "terminate", "join", "cut", "throttle", "delay", "lost"} <= in_plain
    assert {"split", "merge", "throttle-all"} <= in_plain
    assert in_plain | {deed.kind for deed in rough.deeds} == set(DEEDS)
    assert {kind for plan in seeds for kind in plan.processors} == set(KINDS) == set(MAKERS)


def test_deeds_are_in_the_order_of_time_and_rough_ones_are_more() -> None:
    plain, rough = (draw(3, seconds=600.0, duration=3.0, rough=rough) for rough in (False, True))

    for plan in (plain, rough):
        times = [deed.at for deed in plan.deeds]
        assert times == sorted(times)
        assert WORKERS_MIN <= plan.workers <= WORKERS_MAX
    assert len(rough.deeds) > 1.5 * len(plain.deeds)


def test_times_of_deeds_grow_with_the_duration_of_leases() -> None:
    short, long = (draw(3, seconds=600.0, duration=duration) for duration in (3.0, 10.0))

    assert len(short.deeds) > 2 * len(long.deeds)
