"""Is the assignment plan complete, even, sticky, minimal and the same for everybody?"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.core.leases.plan import (
    Plan,
    PlanLease,
    PlanWorker,
    floor_of,
    plan,
    rank,
    score,
    successors,
)


def lease(key: str, holder: str | None = None, **changes: bool) -> PlanLease:
    facts = {"available": holder is None, "expired": False, "movable": holder is not None}
    return PlanLease(key=key, holder=holder, **{**facts, **changes})


def worker(name: str, lease_max: int | None = None, **changes: bool) -> PlanWorker:
    return PlanWorker(worker_id=name, lease_max=lease_max, **{"is_taker": True, **changes})


def key(number: int) -> str:
    return f"shardId-{number:012d}"


def held(counts: dict[str, int], *, free: int = 0) -> list[PlanLease]:
    """Leases of each worker, and some that nobody has."""
    holders = [name for name, count in counts.items() for _ in range(count)] + [None] * free
    return [lease(key(number), holder) for number, holder in enumerate(holders)]


def fleet(*names: str) -> list[PlanWorker]:
    return [worker(name) for name in names]


def carried_out(leases: list[PlanLease], decided: Plan) -> list[PlanLease]:
    """The leases after every take and every move has happened."""
    after = []
    for each in leases:
        owner = decided.takes.get(each.key) or decided.moves.get(each.key, (None, each.holder))[1]
        if each.key in decided.takes or each.key in decided.moves:
            after.append(lease(each.key, owner))
        else:
            after.append(each)
    return after


def counted(leases: list[PlanLease]) -> Counter[str | None]:
    return Counter(each.holder for each in leases)


NAMES = st.lists(st.integers(0, 10**6).map("worker-{}".format), min_size=1, max_size=6, unique=True)
COUNTS = st.integers(0, 6)


@st.composite
def quiet_tables(draw: st.DrawFn) -> tuple[list[PlanLease], list[PlanWorker]]:
    """Nobody leaves, nothing is under way, nobody has a maximum."""
    names = draw(NAMES)
    leases = held({name: draw(COUNTS) for name in names}, free=draw(COUNTS))
    return draw(st.permutations(leases)), fleet(*names)


@st.composite
def busy_tables(draw: st.DrawFn) -> tuple[list[PlanLease], list[PlanWorker]]:
    """Everything at once: maxima, the leaving, handoffs, offers, expired leases."""
    names = draw(NAMES)
    maxima = st.none() | st.integers(0, 8)
    workers = [
        worker(
            name, draw(maxima), is_taker=draw(st.integers(0, 4)) > 0, is_live=draw(st.booleans())
        )
        for name in names
    ]
    kinds = st.sampled_from(["owned", "owned", "owned", "handoff", "offered", "expired", "free"])
    leases = []
    for number in range(draw(st.integers(0, 20))):
        kind = draw(kinds)
        holder = None if kind == "free" else draw(st.sampled_from(names))
        leases.append(
            PlanLease(
                key=key(number),
                holder=holder,
                available=kind in {"offered", "expired", "free"},
                expired=kind == "expired",
                movable=kind == "owned",
            )
        )
    return leases, workers


def takers_of(workers: list[PlanWorker]) -> dict[str, PlanWorker]:
    takers = [each for each in workers if each.is_taker]
    takers = takers or [each for each in workers if each.is_live]
    return {each.worker_id: each for each in takers}


@given(quiet_tables())
def test_everything_is_held_and_counts_differ_by_at_most_one(
    table: tuple[list[PlanLease], list[PlanWorker]],
) -> None:
    leases, workers = table
    counts = counted(carried_out(leases, plan(leases, workers)))

    assert counts[None] == 0
    per_worker = [counts[each.worker_id] for each in workers]
    assert max(per_worker) - min(per_worker) <= 1


@given(quiet_tables())
def test_no_fewer_moves_would_do(table: tuple[list[PlanLease], list[PlanWorker]]) -> None:
    leases, workers = table
    decided = plan(leases, workers)

    base, extras = divmod(len(leases), len(workers))
    counts = sorted((counted(leases)[each.worker_id] for each in workers), reverse=True)
    above = sum(max(0, count - base) for count in counts)
    spared = sum(count > base for count in counts[:extras])
    assert len(decided.moves) == above - spared
    assert decided.takes.keys() == {each.key for each in leases if each.available}


@given(quiet_tables())
def test_a_live_lease_moves_only_where_the_difference_is_at_least_two(
    table: tuple[list[PlanLease], list[PlanWorker]],
) -> None:
    leases, workers = table
    counts = counted(leases)

    for victim, taker in plan(leases, workers).moves.values():
        assert counts[victim] - counts[taker] >= 2


@given(quiet_tables())
def test_with_nothing_available_and_a_difference_of_one_nothing_changes(
    table: tuple[list[PlanLease], list[PlanWorker]],
) -> None:
    leases, workers = table
    balanced = carried_out(leases, plan(leases, workers))

    assert plan(balanced, workers).is_empty


@given(busy_tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    table: tuple[list[PlanLease], list[PlanWorker]], rng: random.Random
) -> None:
    leases, workers = table
    decided = plan(leases, workers)
    rng.shuffle(leases)
    rng.shuffle(workers)

    assert plan(leases, workers) == decided


@given(busy_tables())
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(
    table: tuple[list[PlanLease], list[PlanWorker]],
) -> None:
    leases, workers = table
    offered = {each.key for each in leases if each.available and each.holder and not each.expired}
    after = [
        replace(each, movable=each.movable and each.key not in offered)
        for each in carried_out(leases, plan(leases, workers))
    ]

    assert plan(after, workers).is_empty


@given(busy_tables())
def test_nobody_is_given_more_than_its_maximum(
    table: tuple[list[PlanLease], list[PlanWorker]],
) -> None:
    leases, workers = table
    decided = plan(leases, workers)
    takers = takers_of(workers)
    counts = counted(carried_out(leases, decided))

    for name in [*decided.takes.values(), *(taker for _, taker in decided.moves.values())]:
        assert name in takers
        if (limit := takers[name].lease_max) is not None:
            standing = {each.key for each in leases if each.holder == name and each.expired}
            assert counts[name] - len(standing - decided.takes.keys()) <= limit


@given(busy_tables())
def test_what_is_available_is_placed_as_long_as_anybody_has_room(
    table: tuple[list[PlanLease], list[PlanWorker]],
) -> None:
    leases, workers = table
    decided = plan(leases, workers)
    left = [each for each in leases if each.available and each.key not in decided.takes]

    if left:
        for name, taker in takers_of(workers).items():
            owned = sum(not each.available and each.holder == name for each in leases)
            taken = sum(target == name for target in decided.takes.values())
            assert taker.lease_max is not None
            assert owned + taken >= taker.lease_max


@given(busy_tables())
def test_only_what_may_be_touched_is_touched(
    table: tuple[list[PlanLease], list[PlanWorker]],
) -> None:
    leases, workers = table
    decided = plan(leases, workers)
    by_key = {each.key: each for each in leases}

    assert all(by_key[each].available for each in decided.takes)
    for each, (victim, taker) in decided.moves.items():
        assert by_key[each].movable
        assert by_key[each].holder == victim != taker
        assert victim in takers_of(workers)


@given(busy_tables())
def test_a_target_is_the_floor_or_one_more(
    table: tuple[list[PlanLease], list[PlanWorker]],
) -> None:
    decided = plan(*table)

    for name, target in decided.targets.items():
        assert target - floor_of(decided, name) in (0, 1)
    assert floor_of(decided, "a stranger") == 0


@given(quiet_tables())
def test_a_newcomer_is_given_its_quota_and_nobody_else_anything(
    table: tuple[list[PlanLease], list[PlanWorker]],
) -> None:
    leases, workers = table
    balanced = carried_out(leases, plan(leases, workers))
    decided = plan(balanced, [*workers, worker("newcomer")])

    assert {taker for _, taker in decided.moves.values()} <= {"newcomer"}
    assert len(decided.moves) == len(leases) // (len(workers) + 1)


@given(quiet_tables(), st.data())
def test_a_leaver_moves_nothing_but_its_own_leases(
    table: tuple[list[PlanLease], list[PlanWorker]], data: st.DataObject
) -> None:
    leases, workers = table
    balanced = carried_out(leases, plan(leases, workers))
    leaver = data.draw(st.sampled_from(workers)).worker_id
    mine = {each.key for each in balanced if each.holder == leaver}
    heirs = successors(mine, balanced, workers, leaver)
    rest = [each for each in workers if each.worker_id != leaver]

    assert heirs.keys() == (mine if rest else set())
    after = [lease(each.key, heirs.get(each.key, each.holder)) for each in balanced]
    assert plan(after, rest).moves == {}


def test_a_pending_handoff_of_a_leaver_is_for_its_taker() -> None:
    leases = [lease(key(1), "b", movable=False), lease(key(2), "a"), lease(key(3), "a")]

    heirs = successors([key(1), key(2)], leases, fleet("a", "b"), "a")

    assert heirs == {key(2): "b"}


def test_a_lease_in_handoff_or_offered_counts_for_its_taker() -> None:
    leases = [
        lease(key(1), "b", movable=False),
        lease(key(2), "b", movable=False, available=True),
        lease(key(3), "a"),
        lease(key(4), "a"),
    ]

    assert plan(leases, fleet("a", "b")).moves == {}
    assert plan(leases, fleet("a", "b")).takes == {key(2): "b"}


def test_what_is_offered_to_a_full_or_dead_worker_goes_to_another() -> None:
    offer = lease(key(1), "b", movable=False, available=True)

    assert plan([offer], [worker("a"), worker("b", 0)]).takes == {key(1): "a"}
    assert plan([offer], [worker("a"), worker("b", is_taker=False)]).takes == {key(1): "a"}


def test_leases_of_the_leaving_and_the_unknown_are_left_alone() -> None:
    leases = held({"leaving": 5, "a": 2, "b": 1})
    workers = [*fleet("a", "b"), worker("leaving", is_taker=False)]

    assert plan(leases, workers).is_empty
    assert plan(leases, workers).targets == {"a": 2, "b": 1}


def test_an_expired_lease_counts_for_nobody_and_its_owner_gets_none() -> None:
    leases = [
        lease(key(1), "a", expired=True, available=True),
        lease(key(2), "a"),
        lease(key(3), "b"),
    ]
    suspect = worker("a", is_taker=False, is_live=True)

    assert plan(leases, [suspect, worker("b")]).takes == {key(1): "b"}


def test_if_nobody_is_a_taker_every_live_worker_is_one() -> None:
    leases = [
        lease(key(n), "ab"[n % 2], expired=True, available=True, movable=False) for n in range(4)
    ]
    workers = [
        worker("a", is_taker=False, is_live=True),
        worker("b", is_taker=False, is_live=True),
        worker("dead", is_taker=False),
    ]

    assert Counter(plan(leases, workers).takes.values()) == {"a": 2, "b": 2}
    assert plan(leases, [worker("dead", is_taker=False)]).is_empty


def test_small_maxima_leave_more_to_the_others() -> None:
    decided = plan(held({}, free=10), [worker("small", 1), worker("b"), worker("c")])

    assert decided.targets["small"] == 1
    assert sorted(decided.targets.values()) == [1, 4, 5]


def test_whoever_is_above_its_maximum_sheds_although_the_difference_is_small() -> None:
    decided = plan(held({"a": 3, "b": 3}), [worker("a", 2), worker("b")])

    assert [*decided.moves.values()] == [("a", "b")]


@pytest.mark.parametrize("seed", range(20))
def test_views_that_differ_by_one_lease_or_one_worker_give_almost_the_same_plan(seed: int) -> None:
    rng = random.Random(seed)
    names = [f"worker-{rng.randrange(10**9)}" for _ in range(10)]
    leases = held(dict.fromkeys(names, 8), free=40)
    here = plan(leases, fleet(*names)).takes
    one_lease_less = plan(leases[:-1], fleet(*names)).takes
    busier = replace(leases[-1], holder=rng.choice(names), available=False, movable=True)
    one_taken_already = plan([*leases[:-1], busier], fleet(*names)).takes

    for other in (one_lease_less, one_taken_already):
        assert sum(here[each] != other[each] for each in other) <= 10


def test_scores_are_the_same_in_every_process_and_version() -> None:
    assert score("shardId-000000000000", "worker-1") == 11804225128620271085
    assert 0 <= score("", "") < 2**64


def test_scores_spread_leases_evenly_over_workers() -> None:
    names = [f"host-{n}-{n * 7919:x}" for n in range(20)]
    best = Counter(max(names, key=lambda name: score(key(n), name)) for n in range(4_000))

    assert len(best) == 20
    assert sum((count - 200) ** 2 / 200 for count in best.values()) < 60


@given(NAMES)
def test_ranks_among_the_takers_are_a_permutation(names: list[str]) -> None:
    ranks = [rank(key(7), name, names) for name in names]

    assert sorted(ranks) == list(range(len(names)))
    best = max(names, key=lambda name: (score(key(7), name), name))
    assert ranks[names.index(best)] == 0
