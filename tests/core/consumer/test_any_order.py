"""Does everything hold in any order of events? Random lives of two shards, each step checked."""

from __future__ import annotations

import re

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kcl_py.config import Backoff, DeliveryConfig, OnError, PollingConfig, WorkerConfig
from kcl_py.core.events import FailureKind, Traits
from tests.core.consumer.house import AUTO, EXIT, EXPLICIT, LOST, D, House, at, error

KEYS = ("shardId-a", "shardId-b")
LIFE = re.compile(
    r"initialize (process_records )*(shard_ended )*(shutdown_requested )?(lease_lost )?close "
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
keys = st.sampled_from(KEYS)


class Lives(RuleBasedStateMachine):
    """The lease side, user code, Kinesis and time, each doing what it may at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House(config=CONFIG)
        self.draining: set[str] = set()
        self.ended: set[str] = set()
        for key in KEYS:
            self.house.stream(key)

    # ------------------------------------------------------------------------------ lease side

    @rule(key=keys, traits=st.sampled_from(TRAITS), waits=st.booleans())
    def begin(self, key: str, traits: Traits, *, waits: bool) -> None:
        house = self.house
        if key in house.owned | self.ended or house.consumers.is_running(key):
            return
        row = house.leases.rows.get(key)
        self.draining.discard(key)
        if row is None:
            house.begin(key, traits=traits, waits=waits)
        else:
            house.begin(key, traits=traits, waits=waits, checkpoint=row.checkpoint)

    @rule(key=keys)
    def parents_done(self, key: str) -> None:
        if key in self.house.owned:
            self.house.consumers.parents_done(self.house.now, key)
            self.house.take()

    @rule(key=keys)
    def renew(self, key: str) -> None:
        if key in self.house.owned:
            self.house.renew(key)

    @rule(key=keys, throttled=st.booleans())
    def write_fails(self, key: str, *, throttled: bool) -> None:
        if key in self.house.owned:
            self.house.consumers.checkpoint_failed(self.house.now, key, throttled=throttled)
            self.house.take()

    @rule(key=keys)
    def lose(self, key: str) -> None:
        if key in self.house.owned:
            self.house.lose(key)

    @rule(key=keys)
    def drain(self, key: str) -> None:
        if key in self.house.owned:
            self.draining.add(key)
            self.house.drain(key)

    @rule(key=keys)
    def cancel_handoff(self, key: str) -> None:
        if key in self.house.owned & self.draining:
            self.draining.discard(key)
            begun = self.house.consumers.has_shutdown_begun(key)
            self.house.resume(key, new_epoch=begun)

    @rule(key=keys)
    def give_away(self, key: str) -> None:
        house = self.house
        if key in house.owned & self.draining and key in house.leases.told("drained"):
            if house.consumers.is_running(key):
                return
            house.renew(key)
            house.owned.discard(key)
            house.fences[key] = float("-inf")

    @rule(key=keys)
    def children_created(self, key: str) -> None:
        house = self.house
        if key in house.owned and key in house.leases.told("shard_read"):
            house.consumers.children_created(house.now, key)
            house.take()

    # --------------------------------------------------------------------------------- Kinesis

    @rule(key=keys, count=st.integers(1, 8), subs=st.integers(1, 3))
    def put(self, key: str, count: int, subs: int) -> None:
        if not self.house.stream(key).is_closed:
            self.house.stream(key).put(count, subs=subs)

    @rule(key=keys)
    @precondition(lambda self: len(self.house.stale) + len(self.house.fetches) < 6)
    def close_shard(self, key: str) -> None:
        self.house.stream(key).is_closed = True

    @rule(key=keys, limit=st.integers(1, 7))
    def page(self, key: str, limit: int) -> None:
        if key in self.house.fetches:
            self.house.answer(key, limit=limit)

    @rule(key=keys, kind=st.sampled_from([k for k in FailureKind if k is not FailureKind.INVALID]))
    def read_fails(self, key: str, kind: FailureKind) -> None:
        if key in self.house.fetches:
            self.house.fail(kind, key)

    @rule()
    def late_pages(self) -> None:
        self.house.answer_stale()

    # ------------------------------------------------------------------------------- user code

    @rule(key=keys)
    def returns(self, key: str) -> None:
        run = self.house.runs.get(key)
        if run is not None and run.method is not None:
            self.house.returns(key)

    @rule(key=keys, index=st.integers(0, 4), may_retry=st.booleans())
    def raises(self, key: str, index: int, *, may_retry: bool) -> None:
        run = self.house.runs.get(key)
        if run is None or run.method is None:
            return
        culprit = None
        if run.method == "process_records" and index < len(self.house.batch_positions(key)):
            culprit = self.house.batch_positions(key)[index]
        self.house.returns(key, error(failed_at=culprit, may_retry=may_retry))

    @rule(key=keys)
    def says_lease_lost(self, key: str) -> None:
        run = self.house.runs.get(key)
        if run is not None and run.method is not None:
            self.house.returns(key, LOST)

    @rule(key=keys)
    def says_exit(self, key: str) -> None:
        run = self.house.runs.get(key)
        if run is None or run.method is None:
            return
        self.house.returns(key, EXIT)
        for other in sorted(self.house.owned):
            self.draining.add(other)
            self.house.drain(other, "stop")

    @rule(key=keys, number=st.integers(1, 30), wait=st.booleans(), kind=st.sampled_from("cpx"))
    def asks(self, key: str, number: int, kind: str, *, wait: bool) -> None:
        run = self.house.runs.get(key)
        if run is None:
            return
        in_hand = [] if run.delivery is None else self.house.batch_positions(key)
        place = in_hand[number % len(in_hand)] if in_hand else at(number)
        name = {"c": "checkpoint", "p": "prepare", "x": "commit"}[kind]
        self.house.ask(place, key, wait=wait, kind=name)

    # -------------------------------------------------------------------------------- and time

    @rule(seconds=st.floats(0.01, 3.0))
    def time_passes(self, seconds: float) -> None:
        self.house.advance(seconds)

    @rule()
    def nothing_is_renewed(self) -> None:
        house = self.house
        if not house.owned:
            return
        house.advance(D / 2, renews=False)
        for key in sorted(house.owned):
            if house.now >= house.fences[key]:
                house.lose(key)

    @invariant()
    def ended_leases_are_over(self) -> None:
        for key in self.house.leases.told("ended"):
            self.ended.add(key)
            self.house.owned.discard(key)

    @invariant()
    def objects_lived_as_promised(self) -> None:
        for run in self.house.old_runs:
            assert LIFE.fullmatch(" ".join(run.calls) + " "), run.calls
        self.house.old_runs.clear()

    @invariant()
    def status_can_always_be_told(self) -> None:
        for key, status in self.house.consumers.status(self.house.now).items():
            assert status.fence_in >= 0
            assert key in KEYS

    # ------------------------------------------------------------------------------ and the end

    def teardown(self) -> None:
        """Once nothing fails any more, every shard ends, and nobody waits for an answer."""
        for key in KEYS:
            if key in self.house.owned:
                self.house.lose(key)
        self._let_code_return()
        self.house.answer_stale()
        for key in self.house.fetches:
            self.house.stale.append(self.house.fetches[key])
        self.house.fetches.clear()
        self.house.answer_stale()
        assert set(self.house.answers) == self.house.asked
        assert self.house.runs == {}
        assert self.house.consumers.buffered_bytes == 0
        for key in KEYS:
            self._finish(key)

    def _let_code_return(self) -> None:
        for key in KEYS:
            while key in self.house.runs:
                self.house.returns(key)
        self.objects_lived_as_promised()

    def _finish(self, key: str) -> None:
        house = self.house
        if key in self.ended:
            return
        house.stream(key).is_closed = True
        self.begin(key, EXPLICIT if len(house.delivered) % 2 else AUTO, waits=False)
        for _ in range(200):
            if key in house.leases.told("ended"):
                break
            run = house.runs.get(key)
            if run is not None and run.method is not None:
                if run.method == "process_records":
                    house.ask(house.batch_positions(key)[-1], key, wait=False)
                house.returns(key)
            if key in house.fetches:
                house.answer(key)
            if key in house.leases.told("shard_read"):
                house.consumers.children_created(house.now, key)
                house.take()
            house.advance(1.0)
        assert key in house.leases.told("ended")
        whole = [one.position for group in house.stream(key).raw for one in group]
        assert house.leases.may_finish[key] == (whole[-1] if whole else None)
        assert set(house.delivered.get(key, [])) == set(whole)


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
