"""Is every notice read, is nothing else taken for one, and is each source asked in time?"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.hosts.notices import (
    LEAVING_STATES,
    PARSERS,
    SPOT_ACTIONS,
    STAYING_STATES,
    NoAnswer,
    Notice,
    NoticeKind,
    parse_instance_action,
    parse_lifecycle_state,
    parse_task_status,
)
from kcl_py.hosts.watching import (
    INTERVAL_SECONDS,
    LONGEST_WAIT_SECONDS,
    AnsweredAgain,
    Seen,
    Unanswered,
    Watching,
)

SPOT = Notice("spot", "terminate", "2026-11-21T08:22:00Z")
LIFECYCLE = Notice("lifecycle", "Terminated")
REBALANCE = Notice("rebalance", "rebalance", "2026-11-21T08:20:00Z")
KINDS = st.sampled_from(sorted(PARSERS))

# ---------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("action", sorted(SPOT_ACTIONS))
def test_each_action_of_spot_is_a_notice(action: str) -> None:
    text = json.dumps({"action": action, "time": "2026-11-21T08:22:00Z"})

    assert parse_instance_action(text) == Notice("spot", action, "2026-11-21T08:22:00Z")


@pytest.mark.parametrize("state", sorted(LEAVING_STATES))
def test_a_state_that_ends_the_machine_is_a_notice(state: str) -> None:
    assert parse_lifecycle_state(f"{state}\n") == Notice("lifecycle", state)


@pytest.mark.parametrize("state", sorted(STAYING_STATES))
def test_a_state_in_which_it_stays_is_none(state: str) -> None:
    assert parse_lifecycle_state(state) is None


def test_a_task_that_should_stop_is_a_notice() -> None:
    assert parse_task_status('{"DesiredStatus": "STOPPED"}') == Notice("task", "STOPPED")
    assert parse_task_status('{"DesiredStatus": "RUNNING"}') is None


@pytest.mark.parametrize("kind", sorted(PARSERS))
@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", "<html>", '{"action": "sing"}', "[" * 99_999]
)
def test_garbage_is_a_reason_and_is_quoted_shortly(kind: NoticeKind, text: str) -> None:
    with pytest.raises(NoAnswer) as raised:
        PARSERS[kind](text)

    assert len(str(raised.value)) < 500


@given(kind=KINDS, text=st.text(max_size=50) | st.from_regex(r"\{.*\}"))
def test_any_text_is_a_notice_nothing_or_a_reason(kind: NoticeKind, text: str) -> None:
    try:
        found = PARSERS[kind](text)
    except NoAnswer:
        return
    assert found is None or found.kind == kind


# --------------------------------------------------------------------------------- deciding


def test_each_source_is_asked_each_five_seconds() -> None:
    watching = Watching(["spot", "lifecycle"], 10.0)
    assert watching.due(10.0) == ["spot", "lifecycle"]
    watching.answered("spot", 10.5, None)
    watching.answered("lifecycle", 11.0, None)

    assert watching.next_due == 10.5 + INTERVAL_SECONDS
    assert watching.due(15.7) == ["spot"]
    assert Watching([], 0.0).next_due is None


def test_a_notice_drains_once_whatever_comes_after_it() -> None:
    watching = Watching(["spot", "lifecycle"], 0.0)

    assert watching.answered("spot", 0.0, SPOT) == [Seen(SPOT, drains=True)]
    assert watching.answered("spot", 5.0, SPOT) == []
    assert watching.answered("lifecycle", 5.0, LIFECYCLE) == [Seen(LIFECYCLE, drains=False)]


@pytest.mark.parametrize("wanted", [True, False])
def test_the_early_hint_drains_only_where_that_is_wanted(*, wanted: bool) -> None:
    watching = Watching(["spot", "rebalance"], 0.0, drain_on_rebalance=wanted)

    assert watching.answered("rebalance", 0.0, REBALANCE) == [Seen(REBALANCE, drains=wanted)]
    assert watching.answered("spot", 0.0, SPOT) == [Seen(SPOT, drains=not wanted)]


def test_a_failure_is_told_once_and_asked_less_often_until_it_is_over() -> None:
    watching, now, waits = Watching(["spot"], 0.0), 0.0, []
    told = []
    for _ in range(5):
        told += watching.failed("spot", now, "it burns")
        assert watching.next_due is not None
        waits.append(watching.next_due - now)
        now = watching.next_due

    assert waits == [5, 10, 20, 30, 30]
    assert told == [Unanswered("spot", "it burns", 5.0)]
    assert watching.answered("spot", now, None) == [AnsweredAgain("spot")]
    assert watching.answered("spot", now, None) == []
    assert watching.failed("spot", now, "again") == [Unanswered("spot", "again", 5.0)]


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["spot", "lifecycle", "rebalance"]),
            st.sampled_from(["none", "notice", "fails"]),
            st.floats(0.0, 100.0),
        ),
        max_size=60,
    ),
    wanted=st.booleans(),
)
def test_whatever_comes_one_drain_at_most_and_nobody_is_forgotten(
    steps: list[tuple[str, str, float]], *, wanted: bool
) -> None:
    notices = {"spot": SPOT, "lifecycle": LIFECYCLE, "rebalance": REBALANCE}
    watching, now, seen = Watching(list(notices), 0.0, drain_on_rebalance=wanted), 0.0, []
    is_failing = dict.fromkeys(notices, False)
    for name, what, later in steps:
        now += later
        if what == "fails":
            findings = watching.failed(name, now, "no")
            assert bool(findings) != is_failing[name]
        else:
            findings = watching.answered(name, now, notices[name] if what == "notice" else None)
            assert (AnsweredAgain(name) in findings) == is_failing[name]
        is_failing[name] = what == "fails"
        seen += [each for each in findings if isinstance(each, Seen)]
        assert set(watching.due(now + LONGEST_WAIT_SECONDS)) == set(notices)
        assert watching.next_due is not None

    kinds = [each.notice.kind for each in seen]
    assert len(kinds) == len(set(kinds))
    draining = [kind for kind in kinds if wanted or kind != "rebalance"]
    assert [each.notice.kind for each in seen if each.drains] == draining[:1]
