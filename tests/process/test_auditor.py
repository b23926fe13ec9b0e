"""Does the auditor catch what it is there for? Every kind of violation is planted once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.testing.audit.auditor import Fault, Verdict, audit, read_audit_logs
from kcl_py.testing.audit.log import AuditEvent, AuditTail, parse_audit_line, parse_place


def handed(
    at: float, place: int, *, token: int = 1, worker: str = "a", key: str = "s0"
) -> AuditEvent:
    return AuditEvent(
        at=at, worker=worker, key=key, token=token, kind="record", place=parse_place(str(place))
    )


def returned(
    at: float,
    method: str = "process_records",
    *,
    ok: bool = True,
    token: int = 1,
    worker: str = "a",
    key: str = "s0",
) -> AuditEvent:
    return AuditEvent(
        at=at, worker=worker, key=key, token=token, kind="returned", method=method, ok=ok
    )


def begun(at: float, *, token: int = 1, worker: str = "a", key: str = "s0") -> AuditEvent:
    return AuditEvent(at=at, worker=worker, key=key, token=token, kind="begun")


def judge(events: Sequence[AuditEvent], written: Sequence[int] = (1, 2, 3)) -> Verdict:
    return audit(events, written={"s0": [str(number) for number in written]})


def test_a_quiet_life_has_no_violations() -> None:
    verdict = judge([begun(0), handed(1, 1), handed(2, 2), handed(3, 3), returned(4)])

    assert verdict.violations == []
    assert (verdict.written, verdict.delivered, verdict.handed) == (3, 3, 3)


def test_a_record_that_nobody_got_is_lost() -> None:
    verdict = judge([handed(1, 1), handed(2, 2)])

    assert verdict.lost == ["s0: 3/0 was written and never handed over"]


def test_everything_of_a_shard_that_nobody_read_is_lost() -> None:
    assert len(judge([]).lost) == 3


def test_a_record_left_out_in_the_middle_is_skipped_even_if_a_later_epoch_gets_it() -> None:
    verdict = judge([handed(1, 1), handed(2, 3), *(handed(9 + n, n, token=2) for n in (1, 2, 3))])

    assert verdict.lost == []
    assert verdict.skipped == ["s0: 2/0 in epoch 1 of a was passed over"]


def test_an_epoch_that_begins_behind_an_unread_record_skips_it() -> None:
    verdict = judge([handed(1, 1), handed(5, 3, token=2, worker="b")])

    assert verdict.skipped == ["s0: 2/0 in epoch 2 of b was passed over"]


def test_going_back_without_a_failure_breaks_the_order() -> None:
    verdict = judge([handed(1, 1), handed(2, 2), handed(3, 1), handed(4, 2), handed(5, 3)])

    assert len(verdict.order) == 1


def test_going_back_after_a_call_that_succeeded_breaks_the_order() -> None:
    verdict = judge([handed(1, 1), handed(2, 2), returned(3), handed(4, 2), handed(5, 3)])

    assert len(verdict.order) == 1


def test_a_repetition_after_a_failed_call_is_allowed() -> None:
    verdict = judge(
        [
            handed(1, 1),
            handed(2, 2),
            returned(3, ok=False),
            handed(4, 1),
            handed(5, 2),
            handed(6, 3),
        ]
    )

    assert verdict.violations == []
    assert verdict.repeated == 2


def test_a_repetition_may_not_leave_anything_out() -> None:
    verdict = judge(
        [
            *(handed(n, n) for n in (1, 2, 3)),
            returned(4, ok=False),
            handed(5, 1),
            handed(6, 3),
        ]
    )

    assert len(verdict.order) == 1


def test_one_failure_allows_one_repetition() -> None:
    verdict = judge(
        [
            *(handed(n, n) for n in (1, 2)),
            returned(3, ok=False),
            *(handed(3 + n, n) for n in (1, 2)),
            *(handed(6 + n, n) for n in (1, 2, 3)),
        ]
    )

    assert len(verdict.order) == 1


def test_an_old_epoch_that_acts_after_a_new_one_began_overlaps() -> None:
    verdict = judge(
        [
            handed(1, 1),
            handed(6, 2),
            begun(5, token=2, worker="b"),
            *(handed(6 + n, n, token=2, worker="b") for n in (1, 2, 3)),
        ]
    )

    assert len(verdict.overlap) == 1
    assert "epoch 1 of a acted 1 time, up to 1.000 s, after epoch 2 of b" in verdict.overlap[0]


def test_an_epoch_overlaps_with_any_newer_one_not_only_the_next() -> None:
    verdict = judge(
        [
            handed(1, 1),
            handed(10, 2),
            begun(12, token=2, worker="b"),
            begun(5, token=3, worker="c"),
            *(handed(12 + n, n, token=3, worker="c") for n in (1, 2, 3)),
        ]
    )

    assert len(verdict.overlap) == 2


def test_a_call_that_returns_late_is_no_overlap() -> None:
    verdict = judge(
        [handed(1, 1), returned(9), *(handed(4 + n, n, token=2, worker="b") for n in (1, 2, 3))]
    )

    assert verdict.overlap == []


def test_two_workers_in_one_epoch_overlap() -> None:
    verdict = judge([handed(1, 1), *(handed(1 + n, n, worker="b") for n in (1, 2, 3))])

    assert verdict.overlap == ["s0: a and b share epoch 1"]


def child(at: float) -> list[AuditEvent]:
    return [begun(at, token=9, worker="b", key="s1"), handed(at, 10, token=9, key="s1", worker="b")]


def judge_family(events: Sequence[AuditEvent]) -> Verdict:
    return audit(events, written={"s0": ["1", "2"], "s1": ["10"]}, parents={"s1": ["s0"]})


def test_a_child_after_its_parent_is_in_order() -> None:
    verdict = judge_family([handed(1, 1), handed(2, 2), *child(2.5)])

    assert verdict.violations == []
    assert [(start.key, start.since_parents) for start in verdict.starts] == [("s1", 0.5)]


def test_a_child_before_its_parents_last_record_is_caught() -> None:
    verdict = judge_family([handed(1, 1), *child(1.5), handed(2, 2)])

    assert verdict.parents == ["s1 began before 1 record of its ancestor s0"]


def test_a_parent_that_is_read_again_is_caught() -> None:
    verdict = judge_family([handed(1, 1), handed(2, 2), *child(3), handed(4, 2, token=2)])

    assert verdict.parents == ["s0 was read again after its descendant s1 had begun"]


def test_fencing_tokens_grow_from_parents_to_children() -> None:
    verdict = judge_family([*(handed(n, n, token=9) for n in (1, 2)), *child(3)])

    assert verdict.parents == ["s1 has no larger tokens than its ancestor s0"]


@pytest.mark.parametrize("method", ["shutdown_requested", "shard_ended", "lease_lost"])
def test_a_record_after_the_last_call_breaks_the_order(method: str) -> None:
    verdict = judge([handed(1, 1), returned(2, method), handed(3, 2), handed(4, 3)])

    assert verdict.order == [
        f"s0: {number}/0 in epoch 1 of a came after {method} had returned" for number in (2, 3)
    ]


def test_a_shard_end_that_failed_is_no_end() -> None:
    again = [returned(4, "shard_ended", ok=False), handed(5, 3), returned(6, "shard_ended")]

    assert judge([*(handed(n, n) for n in (1, 2, 3)), *again]).violations == []


def test_a_grandchild_waits_for_its_grandparent() -> None:
    verdict = audit(
        [handed(5, 1), handed(1, 20, key="s2", token=2)],
        written={"s0": ["1"], "s2": ["20"]},
        parents={"s1": ["s0"], "s2": ["s1"]},
    )

    assert verdict.parents == ["s2 began before 1 record of its ancestor s0"]


def test_duplicates_name_the_move_and_what_was_done_to_the_worker() -> None:
    verdict = audit(
        [
            *(handed(n, n) for n in (1, 2)),
            begun(14, token=2, worker="b"),
            *(handed(14 + n, n, token=2, worker="b") for n in (2, 3)),
        ],
        written={"s0": ["1", "2", "3"]},
        faults=[Fault(at=4, worker="a", name="kill -9"), Fault(at=15, worker="a", name="later")],
    )

    [move] = verdict.takeovers
    assert verdict.violations == []
    assert (move.duplicates, move.clean, move.fault) == (1, False, "kill -9")
    assert (move.gap, move.since_fault) == (12, 10)


def test_duplicates_of_a_clean_move_are_no_excuse() -> None:
    verdict = judge(
        [
            *(handed(n, n) for n in (1, 2)),
            returned(3, "shutdown_requested"),
            *(handed(3 + n, n, token=2, worker="b") for n in (2, 3)),
        ]
    )

    assert verdict.duplicates_of_clean_moves == 1


def test_duplicates_count_for_the_crash_not_for_the_idle_epoch_between() -> None:
    verdict = judge(
        [
            *(handed(n, n) for n in (1, 2)),
            begun(5, token=2, worker="b"),
            returned(6, "shutdown_requested", token=2, worker="b"),
            *(handed(6 + n, n, token=3, worker="c") for n in (2, 3)),
        ]
    )

    assert [(move.duplicates, move.clean) for move in verdict.takeovers] == [(1, False), (0, True)]


def test_a_shutdown_that_came_too_late_is_no_clean_move() -> None:
    verdict = judge(
        [
            *(handed(n, n) for n in (1, 2, 3)),
            returned(4, "shutdown_requested"),
            returned(5, "lease_lost"),
            begun(6, token=2, worker="b"),
        ]
    )

    assert [move.clean for move in verdict.takeovers] == [False]


def fenced(at: float, *, token: int = 1, worker: str = "a", key: str = "s0") -> AuditEvent:
    return AuditEvent(at=at, worker=worker, key=key, token=token, kind="fenced")


def test_the_longest_overlap_is_told_in_seconds() -> None:
    verdict = judge(
        [
            *(handed(n, n) for n in (1, 2, 3)),
            begun(1.5, token=2, worker="b"),
            handed(2.25, 2, token=2, worker="b"),
            begun(2.0, token=3, worker="c"),
        ]
    )

    assert len(verdict.overlap) == 2
    assert verdict.overlap_seconds == 1.5
    assert judge([handed(n, n) for n in (1, 2, 3)]).overlap_seconds == 0.0


def test_an_epoch_that_was_ended_from_within_is_a_fence_and_one_that_was_given_away_is_none() -> (
    None
):
    lost = [handed(1, 1), fenced(2), returned(3, "lease_lost")]
    given = [
        handed(4, 2, token=2),
        returned(5, "shutdown_requested", token=2),
        fenced(6, token=2),
    ]
    ended = [
        handed(7, 3, token=3),
        returned(8, "shard_ended", token=3),
        fenced(9, token=3),
    ]

    assert judge([*lost, *given, *ended]).fences == 1


def test_a_clean_move_to_another_worker_is_a_handoff() -> None:
    events = [
        handed(1, 1),
        returned(2, "shutdown_requested"),
        handed(3, 2, token=2, worker="b"),
        handed(4, 3, token=3, worker="a"),
        returned(5, "shutdown_requested", token=3),
        begun(6, token=4, worker="a"),
    ]

    assert judge(events).handoffs == 1


def test_records_that_the_producer_knows_nothing_of_are_counted() -> None:
    assert judge([handed(n, n) for n in (1, 2, 3, 4)]).unknown == 1


def test_sub_records_are_ordered_inside_their_record() -> None:
    places = ["1/0", "1/2", "1/1"]
    events = [
        AuditEvent(at=n, worker="a", key="s0", token=1, kind="record", place=parse_place(text))
        for n, text in enumerate(places)
    ]

    assert len(judge(events, [1]).order) == 1


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.integers(0, 5),
)
def test_any_split_of_a_shard_over_epochs_is_fine_and_any_missing_record_is_not(
    sizes: list[int], missing: int
) -> None:
    total = sum(sizes)
    events, number = [], 0
    for token, size in enumerate(sizes, start=1):
        for _ in range(size):
            number += 1
            events.append(handed(number, number, token=token, worker=f"w{token}"))
    written = range(1, total + 1)

    assert judge(events, written).violations == []
    del events[missing % total]
    assert judge(events, written).lost != []


def test_the_torn_last_line_of_a_killed_process_is_dropped(tmp_path: Path) -> None:
    line = '{"t": 1.5, "w": "a", "k": "s0", "e": 7, "p": "12/3", "kind": "record"}'
    path = tmp_path / "audit.jsonl"
    path.write_text(f'{line}\n{{"t": 2.0, "w": "a", "k"')

    [event] = read_audit_logs([path])

    assert (event.at, event.worker, event.key, event.token) == (1.5, "a", "s0", 7)
    assert event.place == (12, 3)


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text('{"t": 2.0,\n{"t": 1.5, "w": "a", "k": "s0", "e": 7, "kind": "begun"}\n')

    with pytest.raises(ValueError):
        read_audit_logs([path])


def test_a_tail_reads_each_line_once(tmp_path: Path) -> None:
    line = '{"t": 1, "w": "a", "k": "s0", "e": 7, "kind": "begun"}\n'
    path = tmp_path / "audit.jsonl"
    tail = AuditTail(path)

    assert tail.read() == []
    path.write_text(line + line[:10])
    assert tail.read() == [parse_audit_line(line)]
    path.write_text(line + line)
    assert len(tail.read()) == 1
    assert tail.read() == []
