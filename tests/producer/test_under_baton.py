"""Does no order of its threads make a producer forget a wake-up, or wait for ever?"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Self

import pytest

import kcl_py.producer.calls
import kcl_py.producer.engine
import kcl_py.producer.senders
from kcl_py.aws.put import EntryAnswer
from kcl_py.core.events import FailureKind
from kcl_py.core.puts import Outgoing, PutSaid
from kcl_py.core.shards.graph import Shard
from kcl_py.producer.config import ProducerConfig
from kcl_py.producer.core.kept import Kept
from kcl_py.producer.deliveries import ThreadDelivery
from kcl_py.producer.engine import Engine
from kcl_py.producer.results import PutFailure
from tests.producer.world import refused
from tests.shell import baton as batons
from tests.shell import primitives
from tests.shell.baton import Baton, seeds

SEEDS = 40
MODULES = (kcl_py.producer.calls, kcl_py.producer.engine, kcl_py.producer.senders)
WHOLE = Shard(shard_id="shard", parents=(), hash_range=(0, 2**128 - 1), is_open=True)


class SharedCondition:
    """A condition of a lock that others use too. Who waits is woken in order."""

    def __init__(self, baton: Baton, lock: primitives.Lock) -> None:
        self._baton = baton
        self._lock = lock
        self._waiting: list[list[bool]] = []

    def wait(self, timeout: float | None = None) -> bool:
        ticket = [False]
        self._waiting.append(ticket)
        self._lock.release()
        self._baton.block(lambda: ticket[0], timeout)
        # By identity: tickets are all alike.
        self._waiting = [other for other in self._waiting if other is not ticket]
        self._lock.acquire()
        return ticket[0]

    def notify(self, count: int = 1) -> None:
        for _ in range(min(count, len(self._waiting))):
            self._waiting.pop(0)[0] = True

    def notify_all(self) -> None:
        self.notify(len(self._waiting))


class StagePort:
    """A stream that takes its time, and fails as the seed wants it."""

    def __init__(self, baton: Baton, rng: random.Random) -> None:
        self.baton = baton
        self.rng = rng
        self.trouble = rng.choice([0.0, 0.2, 0.5])
        self.stored: list[bytes] = []
        self.under_way = 0
        self.is_closed = False

    def put(self, units: Sequence[Outgoing], /) -> PutSaid:
        assert not self.is_closed
        self.under_way += 1
        assert self.under_way <= 8
        self.baton.sleep(self.rng.choice([0.0, 0.01, 0.3, 5.0]))
        self.under_way -= 1
        if self.rng.random() < self.trouble:
            return refused(FailureKind.UNKNOWN, "InternalFailure")
        said: list[EntryAnswer] = []
        for unit in units:
            if self.rng.random() < self.trouble:
                said.append(EntryAnswer(error_code="ProvisionedThroughputExceededException"))
            else:
                self.stored.append(unit.data)
                said.append(EntryAnswer(shard_id="shard", sequence_number="1"))
        return said

    def list_shards(self) -> Sequence[Shard]:
        self.baton.sleep(self.rng.choice([0.0, 0.1]))
        return [WHOLE]

    def close(self) -> None:
        self.is_closed = True


class Stage:
    """A producer's engine under the baton."""

    def __init__(self, baton: Baton, **settings: Any) -> None:
        self.baton = baton
        self.rng = random.Random(f"stage {baton.seed}")
        self.port = StagePort(baton, self.rng)
        self.told: list[PutFailure] = []
        self.config = ProducerConfig(
            batch_records=self.rng.choice([1, 3, 20]),
            linger=self.rng.choice([0.0, 0.1]),
            order=self.rng.choice(["none", "per_key"]),
            buffer_bytes=64 * 1024,
            **settings,
        )
        hook = self.told.append if self.rng.random() < 0.5 else None
        self.engine = Engine(self.config, self.port, on_failure=hook, clock=baton.now)
        self.items: list[ThreadDelivery] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        kcl_py.producer.engine.atexit.unregister(self.engine._at_exit)

    def put(self, number: int, size: int) -> None:
        key = f"key-{number % 5}"
        item = ThreadDelivery(b"%d" % number, key, None, size)
        item.engine = self.engine
        self.engine.put_waiting(item)
        self.items.append(item)

    def user(self, start: int) -> None:
        rng = random.Random(f"{self.baton.seed}/{start}")
        for number in range(start, start + 25):
            self.put(number, rng.choice([50, 50, 9_000]))
            if rng.random() < 0.1:
                self.engine.flush(None)
            if rng.random() < 0.2:
                self.baton.sleep(rng.choice([0.01, 0.2]))
            if rng.random() < 0.1:
                self.engine.wait_for(self.items[-1], None)


@contextmanager
def under_baton(seed: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Baton]:
    files = {str(module.__file__) for module in MODULES}
    monkeypatch.setattr(batons, "FILES", batons.FILES | files)
    with Baton(seed) as baton:
        named = primitives.threading_of(baton)
        named = SimpleNamespace(
            **{
                **vars(named),
                "Condition": lambda lock: SharedCondition(baton, lock),
            }
        )
        for module in MODULES:
            baton.replace(module, "threading", named)
        yield baton


@pytest.mark.parametrize("seed", seeds(SEEDS))
@pytest.mark.parametrize("aggregation", ["off", "per_shard"])
def test_every_record_ends_and_everybody_goes_on(
    seed: int, aggregation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with under_baton(seed, monkeypatch) as baton, Stage(baton, aggregation=aggregation) as stage:
        users = [baton.spawn(lambda start=start: stage.user(start)) for start in (0, 100, 200)]
        assert baton.until(lambda: not any(user.is_alive() for user in users), 240.0)

        left = stage.engine.close(None)

        assert stage.port.is_closed
        assert stage.engine.core.ledger.pending == 0
        stored = b" ".join(stage.port.stored)
        for item in stage.items:
            assert item.outcome is not None
            assert isinstance(item.outcome, Kept) or stored
        assert not (left and stage.told)


@pytest.mark.parametrize("seed", seeds(SEEDS))
def test_a_close_in_the_middle_ends_in_time(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with under_baton(seed, monkeypatch) as baton, Stage(baton) as stage:
        refusals: list[Exception] = []

        def user(start: int) -> None:
            try:
                stage.user(start)
            except RuntimeError as error:
                refusals.append(error)

        users = [baton.spawn(lambda start=start: user(start)) for start in (0, 100)]
        baton.sleep(stage.rng.uniform(0.0, 2.0))
        began = baton.time
        stage.engine.close(1.0)
        assert baton.time - began < 8.0
        assert baton.until(lambda: not any(one.is_alive() for one in users), 60.0)

        assert stage.engine.core.ledger.pending == 0
        assert all(item.outcome is not None for item in stage.items)
