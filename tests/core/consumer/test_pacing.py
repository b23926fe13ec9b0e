"""Is a busy shard read at once, a quiet one seldom, and a shared one without pushing?"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.config import PollingConfig
from kcl_py.core.consumer.budget import PAGE_BYTES_MAX
from kcl_py.core.consumer.pacing import (
    BYTES_PER_SECOND,
    CALL_SPACING_SECONDS,
    CROWD_MAX,
    QUIET_SHARE,
    YIELD_SECONDS_MAX,
    Pacing,
)
from kcl_py.core.events import FailureKind
from kcl_py.local.kinesis.limits import READ_BYTES_PER_SECOND, READ_CALLS_PER_SECOND, Bucket

DEFAULTS = PollingConfig()


def a_pacing(config: PollingConfig = DEFAULTS, seed: int = 0) -> Pacing:
    return Pacing(config, random.Random(seed))


def read(pacing: Pacing, now: float, count: int = 0, lag: float = 0.0) -> float:
    """Read once, as soon as allowed; return the clock reading at which that was."""
    now = max(now, pacing.next_at)
    pacing.called(now)
    pacing.answered(count * 100, lag, has_records=count > 0)
    return now


# ------------------------------------------------------------------------------- the hard limits


@given(
    st.integers(0, 9),
    st.lists(
        st.tuples(
            st.floats(0, 3), st.integers(0, PAGE_BYTES_MAX), st.booleans(), st.integers(0, 9)
        ),
        min_size=2,
        max_size=40,
    ),
)
def test_a_shard_is_never_read_more_than_five_times_a_second_nor_faster_than_two_megabytes(
    seed: int, reads: list[tuple[float, int, bool, int]]
) -> None:
    kinds = list(FailureKind)
    pacing, now = a_pacing(seed=seed), 50.0
    sent: list[tuple[float, int]] = []
    for late, size, fails, choice in reads:
        now = max(now, pacing.next_at)
        pacing.called(now)
        sent.append((now, 0 if fails else size))
        if fails:
            pacing.failed(now + late, kinds[choice % len(kinds)])
        else:
            pacing.answered(size, lag=float(choice), has_records=size > 0)
        if choice == 1:
            pacing.hurry()

    for index, (start, _) in enumerate(sent):
        assert sum(1 for when, _ in sent[index:] if when < start + 1.0) <= 5
    for (start, size), (following, _) in pairwise(sent):
        assert following >= start + size / BYTES_PER_SECOND - 1e-9


# ------------------------------------------------------------------------------------ busy, quiet


@given(
    st.floats(0.2, 2.0),
    st.floats(0.2, 10.0),
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.0, 3.0])), max_size=60),
)
def test_the_wait_is_a_quarter_of_the_quiet_time_within_its_bounds(
    busy: float, idle: float, answers: list[tuple[bool, float]]
) -> None:
    config = PollingConfig(busy_interval=busy, idle_interval=idle)
    pacing = a_pacing(config)
    now = busy_at = read(pacing, 10.0)
    for has_records, lag in answers:
        now = read(pacing, now, int(has_records), lag)
        if has_records or lag > 0:
            busy_at = now
        wanted = max(busy, min((now - busy_at) * QUIET_SHARE, idle))
        assert pacing.next_at == pytest.approx(now + max(wanted, CALL_SPACING_SECONDS))


def test_a_shard_that_brings_records_at_every_read_is_read_five_times_a_second() -> None:
    pacing, now, reads = a_pacing(), 10.0, 0
    while now < 20.0:
        now = read(pacing, now, count=3)
        reads += 1

    assert 49 <= reads <= 51


def test_a_quiet_shard_is_read_once_in_an_idle_interval_after_few_more_reads() -> None:
    pacing = a_pacing()
    now = read(pacing, 10.0, count=1)
    times = [now := read(pacing, now) for _ in range(40)]

    gaps = [b - a for a, b in pairwise(times)]
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(gaps))
    assert gaps[-1] == pytest.approx(1.0)
    assert sum(1 for when in times if when <= 10.0 + 4 * 1.0) <= 14


@given(st.floats(0.0, 3600.0))
def test_the_first_records_after_a_quiet_time_make_it_busy_at_once(quiet: float) -> None:
    pacing = a_pacing()
    now = read(pacing, 10.0, count=1)
    while now < 10.0 + quiet:
        now = read(pacing, now)
    now = read(pacing, now, count=1)

    assert pacing.next_at == pytest.approx(now + CALL_SPACING_SECONDS)


def test_a_new_epoch_begins_as_busy() -> None:
    pacing = a_pacing()
    now = 10.0
    for _ in range(40):
        now = read(pacing, now)
    assert pacing.next_at == pytest.approx(now + 1.0)

    pacing.hurry()
    assert pacing.next_at == pytest.approx(now + CALL_SPACING_SECONDS)
    now = read(pacing, now)
    assert pacing.next_at == pytest.approx(now + CALL_SPACING_SECONDS)


def put_to_read(per_second: float, config: PollingConfig = DEFAULTS) -> list[float]:
    """Seconds from put to read, sorted, of records that come by chance, for ten minutes."""
    rng, pacing = random.Random(7), a_pacing(config)
    coming = now = 10.0
    waits: list[float] = []
    while now < 610.0:
        now = max(now, pacing.next_at)
        pacing.called(now)
        found = 0
        while coming <= now:
            waits.append(now - coming)
            coming += rng.expovariate(per_second)
            found += 1
        pacing.answered(found * 100, 0.0, has_records=found > 0)
    return sorted(waits)


@pytest.mark.parametrize(
    ("per_second", "half", "nearly_all"),
    [(100.0, 0.105, 0.2), (5.0, 0.11, 0.21), (0.5, 0.23, 0.95)],
)
def test_a_record_waits_for_a_part_of_the_time_since_the_one_before(
    per_second: float, half: float, nearly_all: float
) -> None:
    waits = put_to_read(per_second)

    assert waits[len(waits) // 2] <= half
    assert waits[len(waits) * 99 // 100] <= nearly_all


# ----------------------------------------------------------------------------------------- others


class Leaky:
    """The limits of a shard as allowances that fill up steadily, as the engine has them."""

    def __init__(self) -> None:
        self._calls = Bucket(READ_CALLS_PER_SECOND)
        self._bytes = Bucket(READ_BYTES_PER_SECOND)

    def answers(self, now: float, size: int) -> bool:
        """Say whether a read is let through; it brings so many bytes."""
        if not self._bytes.holds(1, now) or not self.has_room(now):
            return False
        self._bytes.draw(size)
        return True

    def has_room(self, now: float) -> bool:
        return self._calls.take(1, now)


class ByTheSecond(Leaky):
    """The same, but calls are counted anew each second."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[int] = Counter()

    def has_room(self, now: float) -> bool:
        self._counts[int(now)] += 1
        return self._counts[int(now)] <= READ_CALLS_PER_SECOND


@dataclass(frozen=True)
class Call:
    at: float
    consumer: int
    is_throttled: bool


def share(
    consumers: int,
    shard: Leaky,
    seed: int,
    *,
    size: int = 1_000,
    until: float = 600.0,
    alone_from: float = float("inf"),
) -> list[Call]:
    """Let consumers read one shard that is always behind; the first one may be left alone."""
    rng = random.Random(seed)
    pacings = [a_pacing(seed=seed * 100 + number) for number in range(consumers)]
    due = [(rng.uniform(1, 3), number) for number in range(consumers)]
    heapq.heapify(due)
    calls: list[Call] = []
    while (at_and_who := heapq.heappop(due))[0] < until:
        now, who = at_and_who
        if who > 0 and now > alone_from:
            continue
        pacings[who].called(now)
        there = now + rng.uniform(0.002, 0.012)
        back = there + rng.uniform(0.002, 0.012)
        is_answered = shard.answers(there, size)
        if is_answered:
            pacings[who].answered(size, 1.0, has_records=True)
        else:
            pacings[who].failed(back, FailureKind.THROTTLED)
        calls.append(Call(now, who, not is_answered))
        heapq.heappush(due, (max(back, pacings[who].next_at), who))
    return calls


def settled(calls: list[Call]) -> tuple[float, float, float]:
    """Return throttled share, answers a second, and how unequal they are, after two minutes."""
    late = [call for call in calls if call.at > 120.0]
    got = Counter(call.consumer for call in late if not call.is_throttled)
    throttled = sum(call.is_throttled for call in late) / len(late)
    return throttled, got.total() / 480.0, max(got.values()) / min(got.values())


@pytest.mark.parametrize("service", [Leaky, ByTheSecond])
@pytest.mark.parametrize(("consumers", "most"), [(1, 0.002), (2, 0.025), (3, 0.05), (4, 0.075)])
def test_consumers_that_share_a_shard_seldom_run_into_its_limit(
    consumers: int, most: float, service: Callable[[], Leaky]
) -> None:
    for seed in range(5):
        throttled, calls_per_second, unfairness = settled(share(consumers, service(), seed))

        assert throttled <= most
        assert calls_per_second >= 4.2, "most of what the shard has to give is used"
        assert unfairness <= 2.5


@pytest.mark.parametrize(("consumers", "size"), [(2, 10**6), (2, 10**7), (4, 10**6), (4, 10**7)])
def test_consumers_that_share_the_bytes_of_a_shard_use_them_all(consumers: int, size: int) -> None:
    for seed in range(5):
        calls = share(consumers, Leaky(), seed, size=size)
        throttled, answers_per_second, unfairness = settled(calls)

        assert answers_per_second * size >= 0.9 * BYTES_PER_SECOND
        assert unfairness <= 3.0
        assert throttled <= 0.1 or len(calls) <= consumers * 600, "many throttles are few calls"


@pytest.mark.parametrize("service", [Leaky, ByTheSecond])
def test_a_consumer_that_is_left_alone_reads_at_full_pace_again(
    service: Callable[[], Leaky],
) -> None:
    for seed in range(5):
        calls = share(4, service(), seed, alone_from=300.0, until=400.0)

        times = [call.at for call in calls if call.consumer == 0 and call.at > 370.0]
        assert len(times) >= 4.9 * 30


@given(st.integers(1, 60), st.integers(0, 99), st.integers(0, PAGE_BYTES_MAX))
def test_a_crowd_costs_a_bounded_time_and_is_forgotten(
    throttles: int, seed: int, size: int
) -> None:
    pacing, now = a_pacing(seed=seed), 10.0
    for _ in range(throttles):
        now = max(now, pacing.next_at)
        pacing.called(now)
        pacing.failed(now, FailureKind.THROTTLED)
        assert pacing.next_at >= now + CALL_SPACING_SECONDS * min(1.33**throttles, 1.33)
    now = max(now, pacing.next_at)
    pacing.called(now)
    pacing.answered(size, 1.0, has_records=True)
    longest = size / BYTES_PER_SECOND + YIELD_SECONDS_MAX
    assert pacing.next_at <= now + max(longest, CALL_SPACING_SECONDS * CROWD_MAX) + 1e-9

    last_throttle = now
    now = max(pacing.next_at, last_throttle + 66.0)
    pacing.called(now)
    pacing.answered(0, 1.0, has_records=True)
    assert pacing.next_at == pytest.approx(now + CALL_SPACING_SECONDS)
