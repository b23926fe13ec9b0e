"""Does a reset begin wherever it must, parents first, after any history of a stream?"""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.admin.resetting import Change, Place, created_row, direction, plan_reset
from kcl_py.core.leases.repairs import Anew
from kcl_py.core.leases.rows import PLACEHOLDER_OWNER, Checkpoint, LeaseRow, Sentinel
from kcl_py.core.shards.births import waits_for_parents
from kcl_py.core.shards.graph import Lineage, Shard
from kcl_py.records import Position

EARLIEST = Place(Sentinel.TRIM_HORIZON)
AT_TEN = Place(Sentinel.AT_TIMESTAMP, 10.0)


def history(rng: random.Random, steps: int) -> list[Shard]:
    """A stream that was split and merged so many times; parents before children."""
    made = [Shard(shard_id="s0", parents=(), hash_range=(0, 1023), is_open=True)]
    open_ids = ["s0"]

    def add(parents: tuple[str, ...]) -> str:
        name = f"s{len(made)}"
        number = str(len(made))
        made.append(
            Shard(
                shard_id=name,
                parents=parents,
                hash_range=(0, 1),
                is_open=True,
                starting_sequence_number=number,
            )
        )
        return name

    for _ in range(steps):
        if len(open_ids) > 1 and rng.random() < 0.4:
            pair = tuple(rng.sample(open_ids, 2))
            open_ids = [x for x in open_ids if x not in pair] + [add(pair)]
        else:
            one = rng.choice(open_ids)
            open_ids.remove(one)
            open_ids += [add((one,)), add((one,))]
    return made


def table(rng: random.Random, shards: list[Shard]) -> dict[str, LeaseRow]:
    """Leases as a fleet may have left them: children exist once their parents have ended."""
    rows: dict[str, LeaseRow] = {}
    for shard in shards:
        if any(parent not in rows or not rows[parent].is_finished for parent in shard.parents):
            continue
        finished, begun, new = Sentinel.SHARD_END, Position("5"), Sentinel.TRIM_HORIZON
        choices: list[Checkpoint] = [finished, finished, begun, new]
        checkpoint = rng.choice(choices)
        rows[shard.shard_id] = LeaseRow(
            key=shard.shard_id,
            counter=rng.randrange(1, 99),
            checkpoint=checkpoint,
            parents=shard.parents,
            root=not shard.parents,
        )
    return rows


def carried_out(changes: tuple[Change, ...], rows: Mapping[str, LeaseRow]) -> dict[str, LeaseRow]:
    """The table as it is afterwards."""
    from dataclasses import replace

    after = dict(rows)
    for change in changes:
        if change.before is None:
            after[change.key] = created_row(change, after, 1)
        else:
            after[change.key] = replace(
                change.before,
                checkpoint=change.anew.checkpoint,
                start_at=change.anew.start_at,
                root=change.anew.root,
                owner=PLACEHOLDER_OWNER,
            )
    return after


@given(
    st.integers(0, 10**9),
    st.integers(0, 12),
    st.integers(0, 6),
    st.sampled_from([EARLIEST, AT_TEN]),
)
def test_every_shard_that_is_needed_is_read_once_and_after_its_parents(
    seed: int, steps: int, forgotten: int, place: Place
) -> None:
    rng = random.Random(seed)
    every = history(rng, steps)
    rows = table(rng, every)
    listed = every[min(forgotten, len(every) - 1) :]
    needed = listed[rng.randrange(len(listed)) :] if place is AT_TEN else listed
    plan = plan_reset(place, rows, listed, {shard.shard_id for shard in needed})

    ids = {shard.shard_id for shard in listed}
    after = carried_out(plan.changes, rows)
    done: set[str] = set()
    began: list[str] = []
    for shard in Lineage(every).in_order():
        key = shard.shard_id
        row = after.get(key)
        if row is None:
            # Made now, if a parent's end would bring it; not if the stream has forgotten it.
            assert key not in ids or done.isdisjoint(shard.parents)
            continue
        if row.is_finished:
            continue
        blocked = [
            p for p in row.parents if p in after and p not in done and not after[p].is_finished
        ]
        assert not (waits_for_parents(row) and blocked), (key, blocked)
        began.append(key)
        done.add(key)
    assert {shard.shard_id for shard in needed} <= set(began)
    changed = {change.key for change in plan.changes}
    assert changed.isdisjoint(plan.kept)
    assert set(rows) == {key for key in changed if key in rows} | set(plan.kept)
    order = {change.key: number for number, change in enumerate(plan.changes)}
    for change in plan.changes:
        parents = after[change.key].parents
        assert all(order[parent] < order[change.key] for parent in parents if parent in order)
        # Who waits, waits for somebody who will end; who does not, has nobody to wait for.
        follows = any(p in after and not after[p].is_finished for p in parents) or any(
            p not in after and p in began for p in parents
        )
        assert change.anew.root is not follows


def test_one_shard_alone_leaves_the_others_as_they_are() -> None:
    shards = history(random.Random(1), 3)
    rows = table(random.Random(3), shards)
    key = next(iter(rows))

    plan = plan_reset(EARLIEST, rows, shards, {s.shard_id for s in shards}, only=key)

    assert [change.key for change in plan.changes] == [key]
    assert set(plan.kept) == set(rows) - {key}


SPLIT = [
    Shard(shard_id="s0", parents=(), hash_range=(0, 1023), is_open=False),
    Shard(shard_id="s1", parents=("s0",), hash_range=(0, 511), is_open=False),
    Shard(shard_id="s2", parents=("s0",), hash_range=(512, 1023), is_open=True),
    Shard(shard_id="s3", parents=("s1",), hash_range=(0, 511), is_open=True),
]


@pytest.mark.parametrize(
    ("place", "others"),
    [
        (EARLIEST, (Sentinel.TRIM_HORIZON, None)),
        (AT_TEN, (Sentinel.AT_TIMESTAMP, 10.0)),
        (Place(Position("7")), (Sentinel.TRIM_HORIZON, None)),
    ],
)
def test_leases_that_a_parent_would_bring_are_made_at_once(
    place: Place, others: tuple[Checkpoint, float | None]
) -> None:
    """Or the owner that it had before the reset makes them, and they begin where it had begun."""
    rows = {"s0": LeaseRow(key="s0", counter=1, checkpoint=Sentinel.LATEST, start_at=99.0)}

    plan = plan_reset(place, rows, SPLIT, {s.shard_id for s in SPLIT}, only="s0")

    assert [change.key for change in plan.changes] == ["s0", "s1", "s2", "s3"]
    children = [change.anew for change in plan.changes[1:]]
    assert {(anew.checkpoint, anew.start_at, anew.root) for anew in children} == {(*others, False)}


def row(checkpoint: object) -> LeaseRow:
    return LeaseRow(key="s0", counter=1, checkpoint=checkpoint)  # type: ignore[arg-type]


def to(checkpoint: object, start_at: float | None = None) -> Anew:
    return Anew(checkpoint=checkpoint, start_at=start_at)  # type: ignore[arg-type]


TIME = to(Sentinel.AT_TIMESTAMP, 10.0)


@pytest.mark.parametrize(
    ("before", "anew", "arrived", "known", "expected"),
    [
        (None, TIME, None, True, "back"),
        (Sentinel.SHARD_END, to(Sentinel.TRIM_HORIZON), None, True, "back"),
        (Position("9"), to(Position("10")), None, True, "forward"),
        (Position("10"), to(Position("9")), None, True, "back"),
        (Position("9"), to(Position("9", 0)), None, True, "same"),
        (Position("9"), to(Sentinel.TRIM_HORIZON), None, True, "back"),
        (Sentinel.TRIM_HORIZON, to(Sentinel.TRIM_HORIZON), None, True, "same"),
        (Sentinel.TRIM_HORIZON, to(Position("9")), None, True, "forward"),
        (Position("9"), TIME, 9.0, True, "forward"),
        (Position("9"), TIME, 10.0, True, "back"),
        (Position("9"), TIME, None, True, "back"),
        (Position("9"), TIME, None, False, "unknown"),
    ],
)
def test_forward_skips_and_back_repeats(
    before: object, anew: Anew, arrived: float | None, known: object, expected: str
) -> None:
    change = Change("s0", None if before is None else row(before), anew)

    assert direction(change, arrived, is_known=bool(known)) == expected
