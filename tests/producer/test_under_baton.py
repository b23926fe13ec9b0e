"""Does no order of its threads make a producer forget a wake-up, or wait for ever?"""

from __future__ import annotations

import atexit
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
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
from kcl_py.errors import BufferFull, PutFailed
from kcl_py.producer.config import ProducerConfig
from kcl_py.producer.core.kept import Kept
from kcl_py.producer.deliveries import ThreadDelivery, outcome_of
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
        self.baton.sleep(self.rng.choice([0.0, 0.01, 0.3, 2.0]))
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

    def __init__(
        self, baton: Baton, hook: Callable[[PutFailure], None] | None = None, **settings: Any
    ) -> None:
        self.baton = baton
        self.rng = random.Random(f"stage {baton.seed}")
        self.port = StagePort(baton, self.rng)
        self.told: list[PutFailure] = []
        usual: dict[str, Any] = {
            "batch_records": self.rng.choice([1, 3, 20]),
            "linger": self.rng.choice([0.0, 0.1]),
            "order": self.rng.choice(["none", "per_key"]),
            "buffer_bytes": 64 * 1024,
            "record_ttl": 5.0,
        }
        self.config = ProducerConfig(**usual | settings)
        own_hook = self.told.append if self.rng.random() < 0.5 else None
        self.engine = Engine(
            self.config,
            self.port,
            on_failure=hook or own_hook,
            clock=baton.now,
            rng=random.Random(f"engine {baton.seed}"),
        )
        self.items: list[ThreadDelivery] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        atexit.unregister(self.engine._at_exit)

    def put(self, number: int, size: int) -> None:
        key = f"key-{number % 5}"
        item = ThreadDelivery(b"%d" % number, key, None, size)
        item.engine = self.engine
        while True:
            try:
                self.engine.put_waiting(item)
            except BufferFull:  # of failures; who waits must take them back
                self.engine.flush(None)
            else:
                break
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
        users = [baton.spawn(partial(stage.user, start)) for start in (0, 100, 200)]
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

        users = [baton.spawn(partial(user, start)) for start in (0, 100)]
        baton.sleep(stage.rng.uniform(0.0, 2.0))
        began = baton.time
        stage.engine.close(1.0)
        assert baton.time - began < 8.0
        assert baton.until(lambda: not any(one.is_alive() for one in users), 60.0)

        assert stage.engine.core.ledger.pending == 0
        assert all(item.outcome is not None for item in stage.items)


# ------------------------------------------------------------------------------ who is told of what


class Telling:
    """Programs that ask for failures in every way, and what each way told them.

    Attributes:
        begun, took: Records with which the hook was called, and from which it returned.
        handed: Those that `flush` and `close` returned.
        asked: Those of which `result()` told.
        repeated: Those that a thread heard of by a flush after its own `result()`.
    """

    def __init__(self, baton: Baton, *, has_hook: bool) -> None:
        self.baton = baton
        self.rng = random.Random(f"telling {baton.seed}")
        self.begun: Counter[int] = Counter()
        self.took: Counter[int] = Counter()
        self.handed: Counter[int] = Counter()
        self.asked: set[int] = set()
        self.repeated: set[int] = set()
        self.stage = Stage(baton, self.hook if has_hook else None, attempts=1)
        if not has_hook:
            self.stage.engine._on_failure = None
            self.stage.engine.core.ledger.has_hook = False

    def hook(self, failure: PutFailure) -> None:
        number = int(failure.data)
        self.begun[number] += 1
        self.baton.sleep(self.rng.choice([0.0, 0.0, 0.01, 0.3]))
        if self.rng.random() < 0.3:
            raise ValueError("the hook is broken")
        self.took[number] += 1

    def flush(self, own: set[int]) -> None:
        found = {int(kept.failure.data) for kept in self.stage.engine.flush(None)}
        self.handed.update(found)
        self.repeated |= found & own

    def ask(self, item: ThreadDelivery) -> set[int]:
        """What `result()` raises with."""
        self.stage.engine.wait_for(item, None)
        try:
            outcome_of(item, self.stage.engine)
        except PutFailed as error:
            found = {int(error.failure.data)}
            self.asked |= found
            return found
        return set()

    def user(self, start: int) -> None:
        own: set[int] = set()
        rng = random.Random(f"{self.baton.seed}/{start}")
        for number in range(start, start + 20):
            self.put(number, own)
            if rng.random() < 0.2:
                self.flush(own)
            if rng.random() < 0.2:
                own |= self.ask(self.stage.items[-1])

    def put(self, number: int, own: set[int]) -> None:
        item = ThreadDelivery(b"%d" % number, f"key-{number % 5}", None, 5_000)
        item.engine = self.stage.engine
        self.stage.items.append(item)
        while True:
            try:
                return self.stage.engine.put_waiting(item)
            except BufferFull:
                self.flush(own)

    @property
    def failed(self) -> set[int]:
        outcomes = [item.outcome for item in self.stage.items]
        return {int(each.failure.data) for each in outcomes if isinstance(each, Kept)}


@pytest.mark.parametrize("seed", seeds(SEEDS))
@pytest.mark.parametrize("way", ["hook", "no hook"])
def test_each_failure_is_told_once(seed: int, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook hears of all, once; flush and close hand over, once, what nobody has."""
    with under_baton(seed, monkeypatch) as baton:
        telling = Telling(baton, has_hook=way == "hook")
        with telling.stage as stage:
            users = [baton.spawn(partial(telling.user, start)) for start in (0, 100)]
            assert baton.until(lambda: not any(user.is_alive() for user in users), 240.0)
            telling.handed.update(int(failure.data) for failure in stage.engine.close(None))
            baton.sleep(100.0)

        told = telling.took.keys() | telling.handed.keys() | telling.asked
        assert told == telling.failed
        assert max(telling.handed.values(), default=1) == 1
        assert not telling.handed.keys() & telling.took.keys()
        assert not telling.repeated
        assert telling.begun == (Counter(telling.failed) if way == "hook" else Counter())


@pytest.mark.parametrize("seed", seeds(SEEDS))
def test_a_close_out_of_time_tells_of_each_failure_once(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But of one that the hook is at just then: whether the hook has it nobody knows."""
    with under_baton(seed, monkeypatch) as baton:
        telling = Telling(baton, has_hook=True)
        with telling.stage as stage:

            def user() -> None:
                for number in range(12):
                    telling.put(number, set())
                for item in stage.items[:4]:
                    telling.ask(item)

            users = [baton.spawn(user)]
            assert baton.until(lambda: not users[0].is_alive(), 60.0)
            telling.handed.update(int(failure.data) for failure in stage.engine.close(0.2))
            at_work = telling.begun - telling.took
            baton.sleep(100.0)

        told = telling.took.keys() | telling.handed.keys() | telling.asked
        assert told == telling.failed
        assert not telling.handed.keys() & telling.asked
        assert max(telling.handed.values(), default=1) == 1
        twice = telling.handed.keys() & telling.took.keys()
        assert len(twice) <= 1
        assert twice <= at_work.keys()
        assert max(telling.begun.values(), default=1) == 1


# ------------------------------------------------------------------------------------ room and time


class RefusingPort(StagePort):
    """A stream that is throttled for a while, after that nothing is wrong with it."""

    def __init__(self, baton: Baton, seconds: float) -> None:
        super().__init__(baton, random.Random(0))
        self.trouble = 0.0
        self.until = baton.time + seconds
        self.requests = 0

    def put(self, units: Sequence[Outgoing], /) -> PutSaid:
        self.requests += 1
        if self.baton.time < self.until:
            self.baton.sleep(0.02)
            return refused(FailureKind.THROTTLED, "ProvisionedThroughputExceededException")
        return super().put(units)


def refused_for(baton: Baton, seconds: float, **settings: Any) -> Stage:
    stage = Stage(baton, **settings)
    stage.port = RefusingPort(baton, seconds)
    stage.engine._port = stage.port
    stage.engine._senders._port = stage.port
    return stage


@pytest.mark.parametrize("seed", seeds(6))
@pytest.mark.parametrize("aggregation", ["off", "per_shard"])
def test_minutes_of_throttling_hold_up_who_puts_and_fill_no_memory(
    seed: int, aggregation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        under_baton(seed, monkeypatch) as baton,
        refused_for(
            baton, 180.0, aggregation=aggregation, batch_records=20, record_ttl=900.0
        ) as stage,
    ):
        used: list[int] = []

        def user(start: int) -> None:
            for number in range(start, start + 100):
                stage.put(number, 2_000)
                used.append(stage.engine.counters().buffered_bytes)

        users = [baton.spawn(partial(user, start)) for start in (0, 100)]
        baton.sleep(179.0)
        held_up = len(stage.items)
        assert held_up < 40, "all else waits in its `put`"
        assert all(user.is_alive() for user in users)
        assert baton.until(lambda: not any(user.is_alive() for user in users), 240.0)
        assert stage.engine.close(None) == []

        assert max(used) <= stage.config.buffer_bytes
        assert len(stage.port.stored) > 0
        assert not any(isinstance(item.outcome, Kept) for item in stage.items)
        assert isinstance(stage.port, RefusingPort)
        assert stage.port.requests < 180 * 10, "and it does not storm the stream"


@pytest.mark.parametrize("seed", seeds(6))
def test_a_put_waits_for_room_as_long_as_told(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        under_baton(seed, monkeypatch) as baton,
        refused_for(baton, 60.0, record_ttl=900.0, put_timeout=7.0) as stage,
    ):
        size = stage.config.buffer_bytes // 2
        first, second = (ThreadDelivery(b"1", "k", None, size) for _ in range(2))
        stage.engine.put_waiting(first)
        began = baton.time
        with pytest.raises(BufferFull, match="put_timeout = 7 s; it was not queued"):
            stage.engine.put_waiting(second)
        assert baton.time - began == pytest.approx(7.0, abs=0.5)
        assert stage.engine.core.ledger.pending == 1

        baton.sleep(60.0)
        stage.engine.put_waiting(second)
        assert stage.engine.close(None) == []
