"""Does everything hold in any order of events? Random lives of two shards, each step checked."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import pytest

from kcl_py.config import Backoff, DeliveryConfig, OnError, PollingConfig, WorkerConfig
from kcl_py.core.events import FailureKind, Traits
from kcl_py.core.leases.rows import LeaseRow, Sentinel
from kcl_py.records import Position
from tests.core.consumer.house import AUTO, EXIT, EXPLICIT, LOST, D, House, at, error

Action: TypeAlias = Callable[[], None]

KEYS = ("shardId-a", "shardId-b")
STEPS = 250
LIFE = re.compile(
    r"initialize (process_records |write_letter )*"
    r"(shard_ended )*(shutdown_requested )?(lease_lost )?close "
)
CONFIG = WorkerConfig(
    on_error=OnError(attempts=3, backoff=Backoff(longest=2.0)),
    delivery=DeliveryConfig(batch_records=3, buffer_bytes=25 * 1024 * 1024),
    reading=PollingConfig(page_records=5),
)
TRAITS = (
    AUTO,
    EXPLICIT,
    Traits(checkpointing="auto", idle_after=0.7),
    Traits(checkpointing="explicit", idle_after=0.7),
)
FAILURES = [kind for kind in FailureKind if kind is not FailureKind.INVALID]


def nowhere(letters: Sequence[object]) -> None:
    raise AssertionError("the core only looks at the policy")


class Lives:
    """The lease side, user code, Kinesis and time, each doing what it may at any moment."""

    def __init__(self, seed: int, *, then: str = "retry") -> None:
        changed: Any = {"then": then}
        if then in ("dead_letter", "skip"):
            changed |= {"attempts": 2, "dead_letters": nowhere}
        config = replace(CONFIG, on_error=replace(CONFIG.on_error, **changed))
        self.rng = random.Random(seed)
        self.house = House(config=config, seed=seed)
        self.draining: set[str] = set()
        self.done: Counter[str] = Counter()
        for key in KEYS:
            self.house.stream(key).put(5, subs=2)

    def step(self) -> None:
        """Do one of the things that may happen now, the likely ones more often."""
        possible: list[tuple[float, str, Action]] = [
            (2, "time", lambda: self.house.advance(self.rng.uniform(0.01, 1.5))),
            (0.05, "silence", self.no_renewal),
            (1, "late", self.house.answer_stale),
        ]
        for key in KEYS:
            possible += self.of_lease(key) + self.of_stream(key) + self.of_code(key)
        weights = [weight for weight, _, _ in possible]
        _, name, action = self.rng.choices(possible, weights)[0]
        self.done[name] += 1
        action()
        self.check()

    # ------------------------------------------------------------------------------ lease side

    def of_lease(self, key: str) -> list[tuple[float, str, Action]]:
        house = self.house
        consumers, told = house.consumers, house.leases.told
        if key in told("ended"):
            return []
        if key not in house.owned:
            if consumers.is_running(key):
                return []
            return [(4, "begin", partial(self.begin, key, self.rng.choice(TRAITS)))]
        possible: list[tuple[float, str, Action]] = [
            (2, "renew", partial(house.renew, key)),
            (1, "old write", partial(house.renew, key, carries=False)),
            (0.2, "write fails", partial(self.write_fails, key)),
            (0.15, "lose", partial(house.lose, key)),
            (0.3, "drain", partial(self.drain, key)),
            (2, "parents", partial(self.parents_done, key)),
        ]
        if key in told("shard_read"):
            possible.append((6, "children", partial(self.tell, consumers.children_created, key)))
        if key in self.draining:
            possible.append((1, "cancel", partial(self.cancel, key)))
            if not consumers.is_running(key):
                possible.append((2, "give", partial(self.give, key)))
        if house.leases.rows[key].paused:
            possible.append((1, "unpause", partial(self.unpause, key)))
        return possible

    def begin(self, key: str, traits: Traits) -> None:
        row = self.house.leases.rows.get(key, LeaseRow(key=key, counter=1, checkpoint=START))
        waits = self.rng.random() < 0.2
        self.draining.discard(key)
        self.house.begin(
            key, traits=traits, waits=waits, checkpoint=row.checkpoint, paused=row.paused
        )

    def tell(self, what: Callable[[float, str], None], key: str) -> None:
        what(self.house.now, key)
        self.house.take()

    def parents_done(self, key: str) -> None:
        self.house.consumers.parents_done(self.house.now, key, self.house.tokens)
        self.house.take()

    def write_fails(self, key: str) -> None:
        throttled = self.rng.random() < 0.5
        self.house.consumers.checkpoint_failed(self.house.now, key, throttled=throttled)
        self.house.take()

    def drain(self, key: str) -> None:
        self.draining.add(key)
        self.house.drain(key)

    def cancel(self, key: str) -> None:
        """In time the same object goes on; too late, a new epoch follows once it has closed."""
        consumers = self.house.consumers
        begun = consumers.has_shutdown_begun(key)
        if not begun or not consumers.is_running(key):
            self.draining.discard(key)
            self.house.resume(key, new_epoch=begun)

    def give(self, key: str) -> None:
        """What was recorded goes with the transfer; the next epoch starts there."""
        house = self.house
        house.renew(key)
        house.owned.discard(key)
        house.fences[key] = float("-inf")

    def unpause(self, key: str) -> None:
        house = self.house
        house.renew(key)
        house.leases.paused(house.now, key, paused=False)
        house.renew(key)

    # --------------------------------------------------------------------------------- Kinesis

    def of_stream(self, key: str) -> list[tuple[float, str, Action]]:
        stream = self.house.stream(key)
        possible: list[tuple[float, str, Action]] = []
        if not stream.is_closed:
            put = partial(stream.put, self.rng.randint(1, 8), subs=self.rng.randint(1, 3))
            possible += [(1, "put", put), (0.08, "close", partial(self.close, key))]
        if key in self.house.fetches:
            possible.append((5, "page", partial(self.page, key)))
            kind = self.rng.choice(FAILURES)
            possible.append((0.5, "no page", partial(self.house.fail, kind, key)))
        return possible

    def close(self, key: str) -> None:
        self.house.stream(key).is_closed = True

    def page(self, key: str) -> None:
        self.house.answer(key, limit=self.rng.randint(1, 7))

    # ------------------------------------------------------------------------------- user code

    def of_code(self, key: str) -> list[tuple[float, str, Action]]:
        run = self.house.runs.get(key)
        if run is None:
            return []
        possible: list[tuple[float, str, Action]] = [(1.5, "ask", partial(self.ask, key))]
        if run.method is not None:
            fails = partial(self.fail, key)
            returns = 0.5 if self.poison_in_hand(key) else 5
            possible += [
                (returns, f"return {run.method}", partial(self.house.returns, key)),
                (4 if run.method == "shard_ended" else 1, f"raise {run.method}", fails),
                (0.05, "lease lost", partial(self.house.returns, key, LOST)),
                (0.05, "exit", partial(self.exit, key)),
            ]
        return possible

    def in_hand(self, key: str) -> list[Position]:
        run = self.house.runs[key]
        return [] if run.delivery is None else self.house.batch_positions(key)

    def poison_in_hand(self, key: str) -> list[Position]:
        """With a policy that gives records up, every fifth fails nearly always."""
        if self.house.config.on_error.then not in ("dead_letter", "skip"):
            return []
        return [place for place in self.in_hand(key) if int(place.sequence_number) % 5 == 0]

    def fail(self, key: str) -> None:
        culprit = self.rng.choice([None, *(self.poison_in_hand(key)[:1] or self.in_hand(key))])
        may_retry = self.rng.random() < 0.9
        self.house.returns(key, error(failed_at=culprit, may_retry=may_retry))

    def exit(self, key: str) -> None:
        self.house.returns(key, EXIT)
        for other in sorted(self.house.owned):
            self.draining.add(other)
            self.house.drain(other, "stop")

    def ask(self, key: str) -> None:
        places = self.in_hand(key)
        odd = not places or self.rng.random() < 0.1
        place = at(self.rng.randint(1, 30)) if odd else self.rng.choice(places)
        handed = self.rng.choice(places) if places and self.rng.random() < 0.3 else None
        kind = self.rng.choice(["checkpoint", "checkpoint", "prepare", "commit"])
        wait = self.rng.random() < 0.5
        self.house.ask(place, key, wait=wait, kind=kind, handed=handed)

    # -------------------------------------------------------------------------------- and time

    def no_renewal(self) -> None:
        """Some leases reach their fence, and the lease side says so a little later."""
        house = self.house
        house.advance(D * 0.8, renews=False)
        for key in KEYS:
            run = house.runs.get(key)
            if run is not None and run.method is not None and self.rng.random() < 0.5:
                house.returns(key)
        for key in sorted(house.owned):
            if house.now >= house.fences[key]:
                house.lose(key)

    def check(self) -> None:
        house = self.house
        for key in house.leases.told("ended"):
            house.owned.discard(key)
        for run in house.old_runs:
            assert LIFE.fullmatch(" ".join(run.calls) + " "), run.calls
        house.old_runs.clear()
        for status in house.consumers.status(house.now).values():
            assert status.fence_in >= 0
            assert status.attempt >= 1
        waiting = house.asked - set(house.answers)
        assert not waiting or house.runs or house.owned, "nobody is left to be answered"

    # ------------------------------------------------------------------------------ and the end

    def end(self) -> None:
        """All is lost, code returns, late answers come: nothing may be left over."""
        house = self.house
        for key in KEYS:
            if key in house.owned:
                house.lose(key)
            while key in house.runs:
                house.returns(key)
        house.stale += house.fetches.values()
        house.fetches.clear()
        house.answer_stale()
        self.check()

        assert set(house.answers) == house.asked
        assert house.consumers.buffered_bytes == 0
        assert house.consumers.status(house.now) == {}

    def heal(self, key: str) -> None:
        """Once nothing fails any more, the shard is processed to its end."""
        house = self.house
        if key in house.leases.told("ended"):
            return
        house.stream(key).is_closed = True
        house.leases.log.clear()
        self.begin(key, self.rng.choice([AUTO, EXPLICIT]))
        self.parents_done(key)
        for _ in range(600):
            if house.leases.told("ended"):
                break
            run = house.runs.get(key)
            if run is not None and run.method is not None:
                if run.method == "process_records":
                    house.ask(house.batch_positions(key)[-1], key, wait=False)
                house.returns(key)
            if key in house.fetches:
                house.answer(key)
            if house.leases.told("shard_read"):
                self.tell(house.consumers.children_created, key)
            house.advance(0.3)

        assert house.leases.told("ended") == [key]
        whole = [one.position for group in house.stream(key).raw for one in group]
        assert house.leases.may_finish[key] == whole[-1]
        assert set(house.delivered[key]) == set(whole)


START = Sentinel.TRIM_HORIZON


@pytest.mark.parametrize("then", ["retry", "pause", "dead_letter", "skip"])
@pytest.mark.parametrize("seeds", [range(first, first + 10) for first in range(0, 40, 10)], ids=str)
def test_a_random_life_keeps_all_promises_and_ends_well(seeds: range, then: str) -> None:
    for seed in seeds:
        lives = Lives(seed, then=then)
        try:
            for _ in range(STEPS):
                lives.step()
            lives.end()
            for key in KEYS:
                lives.heal(key)
        except AssertionError as failure:
            raise AssertionError(f"seed {seed}") from failure


def test_random_lives_contain_everything_that_can_happen() -> None:
    done: Counter[str] = Counter()
    for seed in range(40):
        lives = Lives(seed, then="pause")
        for _ in range(STEPS):
            lives.step()
        done += lives.done

    for seed in range(40):
        lives = Lives(seed, then="dead_letter")
        for _ in range(STEPS):
            lives.step()
        done += lives.done

    rare = {what for what, count in done.items() if count < 3}
    methods = (
        "initialize process_records shutdown_requested shard_ended lease_lost close write_letter"
    )
    wanted = {f"{how} {method}" for how in ("return", "raise") for method in methods.split()}
    assert rare == set()
    assert wanted | {"cancel", "give", "unpause", "silence", "children", "exit"} <= set(done)
