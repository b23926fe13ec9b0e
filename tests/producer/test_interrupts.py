"""Is a producer whole after Ctrl-C in the middle of a `put`, whichever line that hits?"""

from __future__ import annotations

import random
import sys
from types import FrameType
from typing import Any

import pytest

import kcl_py.producer.core as core_package
from kcl_py.producer.config import ProducerConfig
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


def put_interrupted(world: World, item: Item, place: int) -> bool:
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
        world.core.put(item, world.now)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_interrupted_put_costs_nobody_else_anything(case: Any) -> None:
    place = 0
    was_interrupted = True
    while was_interrupted:
        rng = random.Random(place)
        world = World(config=ProducerConfig(**case, batch_records=5), seed=place)
        for number in range(rng.choice([0, 0, 1, 12])):
            world.put(b"%d" % number, f"key-{number % 3}")
        world.run(rng.choice([0.0, 0.05, 0.3]))

        was_interrupted = put_interrupted(world, Item(b"cut", "key-1", None, 8), place)
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
        assert len(stored) in (len(world.items), len(world.items) + 1)
        place += 1

    assert place > 10
