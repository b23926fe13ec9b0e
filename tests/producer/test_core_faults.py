"""Is every accepted record delivered or handed back, in order, whatever goes wrong?"""

from __future__ import annotations

import dataclasses
import random
from typing import Any, Literal

import pytest

from kcl_py.aggregation import hash_key
from kcl_py.producer.config import ProducerConfig
from kcl_py.producer.core.kept import Kept
from kcl_py.producer.core.units import Item
from kcl_py.records import Record
from tests.producer.world import Troubles, World

Order = Literal["none", "per_key"]
Aggregation = Literal["off", "per_shard"]

CASES: list[tuple[Order, Aggregation, float | None]] = [
    ("none", "off", None),
    ("per_key", "off", None),
    ("none", "per_shard", None),
    ("per_key", "per_shard", None),
    ("none", "off", 150.0),
    ("per_key", "per_shard", 20.0),
]
SEEDS = 12


def troubled(rng: random.Random) -> Troubles:
    """Each trouble is there or not, so that rare combinations are met too."""

    def chance(most: float) -> float:
        return rng.random() * most if rng.random() < 0.5 else 0.0

    return Troubles(
        throttled=chance(0.4),
        partial=chance(0.5),
        error=chance(0.3),
        lost=chance(0.2),
        reply_lost=chance(0.3),
        late=chance(0.1),
        listing=chance(0.5),
    )


def play(world: World, rng: random.Random, *, records: int) -> None:
    """Put records of a few keys, in order within each, while shards are split."""
    counts = [0] * 12
    for number in range(records):
        place = min(int(rng.expovariate(0.4)), 11)
        counts[place] += 1
        size = rng.choice([10, 10, 10, 300, 60_000])
        data = f"{place}/{counts[place]}/".encode().ljust(size, b".")
        hash_key = str(rng.getrandbits(128)) if place == 11 and rng.random() < 0.3 else None
        world.put(data, f"key-{place}", hash_key)
        if rng.random() < 0.1:
            world.run(rng.expovariate(2.0))
        if number in (records // 3, records // 2):
            world.split(rng.choice(world.open_shards()))
        if number == 2 * records // 3:
            world.merge(rng.choice(world.open_shards()))


def first_arrivals(records: list[Record]) -> list[int]:
    """Numbers of the records of one key, without what came before."""
    seen: set[int] = set()
    numbers = [int(record.data.split(b"/")[1]) for record in records]
    return [number for number in numbers if not (number in seen or seen.add(number))]  # type: ignore[func-returns-value]  # `add` is None


def by_key(stored: dict[str, list[Record]]) -> dict[str, list[Record]]:
    """Records of each key as a consumer sees them, who reads parents before children."""
    found: dict[str, list[Record]] = {}
    for records in stored.values():
        for record in records:
            found.setdefault(record.partition_key, []).append(record)
    return found


def check_nothing_is_lost(world: World, failed: list[Kept], datas: dict[int, bytes]) -> None:
    stored = {(r.partition_key, r.data) for records in world.stored().values() for r in records}
    handed_back = {(kept.failure.partition_key, kept.failure.data) for kept in failed}
    for item in world.items:
        whole = (item.key, datas[id(item)])
        assert item.outcome is not None
        if isinstance(item.outcome, Kept):
            assert whole in handed_back
        else:
            assert whole in stored
            assert item.data == b""
    assert world.core.ledger.pending == 0
    assert world.core.ledger.used == 0
    router = world.core._router
    assert not router._owners
    assert not router._lanes


def config_of(order: Order, aggregation: Aggregation, rate: float | None) -> ProducerConfig:
    return ProducerConfig(
        order=order,
        aggregation=aggregation,
        records_per_second_per_shard=rate,
        record_ttl=30.0,
        buffer_bytes=8 * 1024 * 1024,
        batch_records=40,
    )


def remember(world: World) -> dict[int, bytes]:
    """Data of every record by identity, before they are let go."""
    datas: dict[int, bytes] = {}
    put = world.core.put

    def spy(item: Item, now: float) -> bool:
        datas[id(item)] = item.data
        return put(item, now)

    world.core.put = spy  # type: ignore[method-assign]
    return datas


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_record_is_delivered_or_handed_back(case: Any, seed: int) -> None:
    rng = random.Random(f"{case}/{seed}")
    world = World(config=config_of(*case), seed=seed, troubles=troubled(rng))
    datas = remember(world)

    play(world, rng, records=250)
    failed = world.flush()

    check_nothing_is_lost(world, failed, datas)
    assert world.used_max <= world.config.buffer_bytes


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("aggregation", ["off", "per_shard"])
def test_records_of_a_key_arrive_in_order(aggregation: Aggregation, seed: int) -> None:
    """Late requests aside: what arrives after its time-out may come after anything."""
    rng = random.Random(f"{aggregation}/{seed}")
    troubles = dataclasses.replace(troubled(rng), late=0.0)
    world = World(config=config_of("per_key", aggregation, None), seed=seed, troubles=troubles)

    play(world, rng, records=250)
    world.flush()

    for key, records in by_key(world.stored()).items():
        if key != "key-11":  # explicit hash keys lead it to several shards, read in any order
            numbers = first_arrivals(records)
            assert numbers == sorted(numbers), key


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_stop_in_the_middle_hands_everything_back(case: Any) -> None:
    for seed in range(6):
        rng = random.Random(f"{case}/{seed}")
        world = World(config=config_of(*case), seed=seed, troubles=troubled(rng))
        datas = remember(world)
        play(world, rng, records=rng.randint(1, 200))

        world.core.abandon("ProducerClosed", "stop")
        world.run(100.0)

        check_nothing_is_lost(world, world.core.ledger.take_kept(), datas)
        assert world.core.next_due() is None


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_seed_plays_the_same(case: Any) -> None:
    plays = []
    for _ in range(2):
        rng = random.Random(f"{case}")
        world = World(config=config_of(*case), seed=5, troubles=troubled(rng))
        play(world, rng, records=100)
        world.flush()
        plays.append((world.now, world.sends))

    assert plays[0] == plays[1]


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("order", ["none", "per_key"])
def test_a_consumer_that_drops_strays_misses_nothing(order: Order, seed: int) -> None:
    """Every delivered record is, once at least, in a shard that takes its hash key."""
    rng = random.Random(f"{order}/{seed}")
    config = config_of(order, "per_shard", None)
    world = World(config=config, seed=seed, troubles=troubled(rng), shards=3)
    datas = remember(world)

    play(world, rng, records=250)
    world.flush()

    ranges = world.ranges()
    stored = world.stored()
    at_home = {
        (record.partition_key, record.data)
        for shard_id, records in stored.items()
        for record in records
        # The service put a plain one where it is, and does not tell its explicit hash key.
        if record.position in world.plain
        or ranges[shard_id][0]
        <= hash_key(record.partition_key, record.explicit_hash_key)
        <= ranges[shard_id][1]
    }
    for item in world.items:
        assert isinstance(item.outcome, Kept) or (item.key, datas[id(item)]) in at_home


@pytest.mark.parametrize("case", CASES, ids=str)
def test_minutes_of_throttling_push_back_and_fill_no_memory(case: Any) -> None:
    config = dataclasses.replace(config_of(*case), buffer_bytes=256 * 1024, record_ttl=600.0)
    world = World(config=config, seed=1, troubles=Troubles(throttled=1.0))
    for number in range(3000):
        world.put(b"%d" % number, f"key-{number % 50}")
        world.run(0.1)
    accepted = len(world.items)
    assert accepted < 1500
    assert len(world.refused) == 3000 - accepted
    requests = len(world.sends)
    assert requests < 300 * 25, "it does not storm a stream that says no"

    world.troubles = Troubles()
    assert world.flush() == []
    assert world.used_max <= config.buffer_bytes
    assert world.core.ledger.counts.records == accepted


@pytest.mark.parametrize("order", ["none", "per_key"])
def test_the_limits_of_shards_are_lived_with(order: Order) -> None:
    """1,000 records a second and shard; more than that is put."""
    config = ProducerConfig(order=order, record_ttl=60.0)
    world = World(config=config, seed=2, limits=True, shards=2)
    for number in range(8000):
        world.put(b"%d" % number, f"key-{number}")
    assert world.flush() == []
    assert 2.5 < world.now < 15.0
