"""Is a producer whole after Ctrl-C in the middle of a `put`, whichever line that hits?"""

from __future__ import annotations

import random
import sys
from types import FrameType
from typing import Any

import pytest

import kcl_py.producer.core as core_package
from kcl_py.producer.config import ProducerConfig
from kcl_py.producer.core import packing
from kcl_py.producer.core.units import Item
from tests.producer.world import World

FOLDER = core_package.__path__[0]
CASES = [
    {},
    {"order": "per_key"},
    {"aggregation": "per_shard"},
    {"order": "per_key", "aggregation": "per_shard"},
    {"records_per_second_per_shard": 100.0},
]


def put_interrupted(world: World, items: list[Item], place: int) -> bool:
    """Put, but raise KeyboardInterrupt before a line of the core; False: it has fewer lines."""
    left = place

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        if event == "line":
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        if len(items) == 1:
            world.core.put(items[0], world.now)
        else:
            world.core.put_first(items, world.now)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def check_interrupted(world: World, count: int, place: int) -> bool:
    """Interrupt a put of so many at this line: nobody else's record is lost, or sent twice."""
    cut = [Item(b"cut", "key-1", None, 8) for _ in range(count)]
    was_interrupted = put_interrupted(world, cut, place)
    if was_interrupted:
        world.core.recount()
    for number in range(100, 112):
        world.put(b"%d" % number, f"key-{number % 3}")
    failed = world.flush(100.0)

    assert failed == []
    assert world.core.ledger.pending == 0
    assert world.core.ledger.used == 0
    stored = [r.data for records in world.stored().values() for r in records]
    assert {item.outcome is not None for item in world.items} == {True}
    others = [data for data in stored if data != b"cut"]
    assert len(others) == len(set(others)) == len(world.items)
    assert stored.count(b"cut") <= count
    return was_interrupted


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_interrupted_put_costs_nobody_else_anything(case: Any, count: int) -> None:
    place = 0
    was_interrupted = True
    while was_interrupted:
        rng = random.Random(place)
        world = World(config=ProducerConfig(**case, batch_records=5), seed=place)
        for number in range(rng.choice([0, 0, 1, 12])):
            world.put(b"%d" % number, f"key-{number % 3}")
        world.run(rng.choice([0.0, 0.05, 0.3]))

        was_interrupted = check_interrupted(world, count, place)
        place += 1

    assert place > 10


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("before", range(1, 7))
@pytest.mark.parametrize("order", ["none", "per_key"])
def test_nor_does_one_that_closes_a_full_pack(
    order: Any, before: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "PACK_BYTES_MAX", 120)
    config = ProducerConfig(order=order, aggregation="per_shard")
    place = 0
    was_interrupted = True
    while was_interrupted:
        world = World(config=config, shards=1)
        world.put(b"first", "key-9")
        world.run(1.0)
        for number in range(before):
            world.put(b"%d" % number, f"key-{number % 3}")

        was_interrupted = check_interrupted(world, count, place)
        place += 1

    assert place > 10
