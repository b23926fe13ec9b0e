"""Are records read and delivered in order, ahead, at a bearable pace, and within memory?"""

from __future__ import annotations

import pytest

from kcl_py.config import DeliveryConfig, PollingConfig, WorkerConfig
from kcl_py.core.commands import Start, StartKind
from kcl_py.core.events import FailureKind
from kcl_py.core.leases.rows import Sentinel
from tests.core.consumer.house import EXPLICIT, KEY, House, at, error

MIB = 1024 * 1024


def house_with(*, page_records: int = 10_000, **delivery: int) -> House:
    config = WorkerConfig(
        delivery=DeliveryConfig(**delivery),
        reading=PollingConfig(page_records=page_records),
    )
    return House(config=config)


def process_all(house: House, *, key: str = KEY) -> list[list[int]]:
    """Let user code return until nothing more comes at once."""
    seen = []
    while house.run(key).method == "process_records":
        seen.append(house.batch(key))
        house.returns(key)
    return seen


# ------------------------------------------------------------------------------------- batches


def test_a_page_is_cut_into_batches_and_pages_are_never_joined() -> None:
    house = house_with(batch_records=3)
    house.start(0)
    house.stream().put(7)
    house.answer(limit=4)
    house.advance(0.3)
    house.answer(limit=3)

    assert process_all(house) == [[1, 2, 3], [4], [5, 6, 7]]


def test_one_call_at_a_time_whatever_is_there() -> None:
    house = house_with(batch_records=1)
    house.start(5)
    house.advance(5)

    assert house.run().calls == ["initialize", "process_records"]


def test_the_next_batch_follows_without_waiting_for_a_write() -> None:
    house = house_with(batch_records=1)
    house.start(3)

    assert process_all(house) == [[1], [2], [3]]
    assert house.leases.rows[KEY].checkpoint is Sentinel.TRIM_HORIZON
    assert house.leases.recorded[KEY] == at(3)


def test_a_batch_knows_its_lag_and_its_attempt() -> None:
    house = house_with(page_records=2)
    house.start(4)

    delivery = house.run().delivery
    assert delivery is not None
    assert (delivery.lag, delivery.attempt, delivery.at_shard_end) == (1.0, 1, False)


def test_two_pages_are_read_ahead_while_user_code_runs_and_no_more() -> None:
    house = house_with(page_records=2)
    house.start(20)
    for _ in range(2):
        house.advance(0.3)
        house.answer()
    house.advance(10)

    assert KEY not in house.fetches
    house.returns()

    assert KEY in house.fetches


def test_at_the_tip_nothing_is_read_ahead_so_that_one_page_brings_all_that_came_meanwhile() -> None:
    house = House()
    house.start(3)
    for _ in range(5):
        house.stream().put(2)
        house.advance(1.0)
        assert KEY not in house.fetches
    house.returns()

    house.answer()
    assert house.batch() == list(range(4, 14))


# ----------------------------------------------------------------------------------- where to begin


def start_of(checkpoint: object, **row: object) -> Start:
    house = House()
    house.begin(checkpoint=checkpoint, **row)  # type: ignore[arg-type]
    house.returns()
    return house.fetches[KEY].start


def test_reading_begins_where_the_row_says() -> None:
    assert start_of(Sentinel.TRIM_HORIZON) == Start(kind=StartKind.TRIM_HORIZON)
    assert start_of(Sentinel.TRIM_HORIZON, start_at=7.0) == Start(kind=StartKind.TRIM_HORIZON)
    resolved = Start(kind=StartKind.AT_TIMESTAMP, timestamp=7.0)
    assert start_of(Sentinel.LATEST, start_at=7.0) == resolved
    assert start_of(Sentinel.AT_TIMESTAMP, start_at=7.0) == resolved
    assert start_of(Sentinel.LATEST) == Start(kind=StartKind.TRIM_HORIZON)
    assert start_of(at(5)) == Start(kind=StartKind.AT, sequence_number="5")


def test_user_records_behind_the_checkpoint_in_the_same_kinesis_record_are_delivered() -> None:
    house = House()
    house.stream().put(3, subs=3)
    house.begin(checkpoint=at(2, 0))
    house.returns()
    house.answer()

    assert house.batch_positions() == [at(2, 1), at(2, 2), at(3, 0), at(3, 1), at(3, 2)]


def test_a_page_that_was_finished_before_is_skipped_whole() -> None:
    house = house_with(page_records=1)
    house.stream().put(3)
    house.begin(checkpoint=at(2))
    house.returns()
    house.answer()
    house.advance(1.1)
    house.answer()

    assert house.batch() == [3]


# --------------------------------------------------------------------------------- failing reads


def test_an_expired_iterator_goes_on_behind_the_last_record_fetched() -> None:
    house = house_with(page_records=2)
    house.start(6)
    house.advance(0.3)

    house.fail(FailureKind.EXPIRED)
    house.advance(0.3)
    assert house.fetches[KEY].iterator is None
    assert house.fetches[KEY].start == Start(kind=StartKind.AFTER, sequence_number="2")
    house.answer()
    house.advance(0.3)
    house.answer()

    assert process_all(house) == [[1, 2], [3, 4], [5, 6]]


def test_an_iterator_that_expired_before_the_first_record_starts_over() -> None:
    house = House()
    house.start(0)
    house.answer()
    house.advance(1.1)

    house.fail(FailureKind.EXPIRED)
    house.stream().put(1)
    house.advance(0.3)
    house.answer()

    assert house.batch() == [1]


def test_throttles_are_backed_off_and_the_iterator_is_kept() -> None:
    house = House()
    house.start(0)
    house.answer()
    house.advance(1.1)
    for _ in range(12):
        iterator = house.fetches[KEY].iterator
        house.fail(FailureKind.THROTTLED)
        house.advance(10)
        assert house.fetches[KEY].iterator == iterator

    assert house.names()["read.failed"] == 12
    assert house.consumers.is_healthy


def test_a_denied_read_is_red_with_its_reason_until_it_works() -> None:
    house = House()
    house.start(0)

    house.fail(FailureKind.DENIED)
    assert house.consumers.problems() == {KEY: "kinesis:GetRecords: said the service"}
    assert house.consumers.status(house.now)[KEY].last_error is not None
    house.advance(61)
    house.answer()

    assert house.consumers.is_healthy
    assert house.leases.log == []


def test_a_position_that_the_shard_does_not_have_is_reported_and_reading_starts_at_the_oldest() -> (
    None
):
    house = House()
    house.stream().put(9)
    house.stream().trimmed = 5
    house.begin(checkpoint=at(2))
    house.returns()

    house.fail(FailureKind.INVALID, action="kinesis:GetShardIterator")
    house.advance(0.3)
    assert house.fetches[KEY].start == Start(kind=StartKind.TRIM_HORIZON)
    house.answer()

    assert house.names()["position.trimmed"] == 1
    assert house.batch() == [6, 7, 8, 9]


def test_a_checkpoint_beyond_all_records_that_the_shard_refuses_is_red_until_one_comes() -> None:
    house = House()
    house.stream().put(3)
    house.begin(checkpoint=at(5))
    house.returns()

    house.fail(FailureKind.INVALID, action="kinesis:GetShardIterator")
    house.advance(0.3)
    house.answer()
    house.advance(1.0)
    house.answer()

    (told,) = [report for report in house.reports if report.name == "position.unknown"]
    assert told.fields == {"asked": "5", "found": "1/0"}
    assert "kcl checkpoint reset" in house.consumers.problems()[KEY]

    house.stream().put(3)
    house.advance(1.0)
    house.answer()

    assert house.batch() == [6]
    assert house.consumers.is_healthy


def test_a_checkpoint_that_is_not_kept_any_more_is_reported_as_lost() -> None:
    house = House()
    house.stream().put(9)
    house.stream().trimmed = 5
    house.begin(checkpoint=at(2))
    house.returns()
    house.answer()

    lost = [report for report in house.reports if report.name == "position.trimmed"]
    assert [(report.fields["asked"], report.fields["goes_on_at"]) for report in lost] == [
        ("2", "6/0")
    ]


def test_a_checkpoint_that_is_still_there_is_not_reported() -> None:
    house = House()
    house.stream().put(9)
    house.begin(checkpoint=at(2))
    house.returns()
    house.answer()

    assert house.names()["position.trimmed"] == 0


def test_what_cannot_be_opened_is_told_once_a_page_and_delivered() -> None:
    house = House()
    house.stream().put(3)
    house.begin()
    house.returns()

    house.answer(unopened=[1, 3])

    assert house.batch() == [1, 2, 3]
    (told,) = [report for report in house.reports if report.name == "record.unopened"]
    assert told.fields == {"sequence_number": "1", "why": "wrong_digest", "in_page": 2}


def test_a_checkpoint_inside_of_what_cannot_be_opened_any_more_brings_all_of_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever wrote it had opened the record; to pass it over would lose its rest."""
    house = House()
    # The house takes a record that comes again for a fault.
    monkeypatch.setattr(house, "_check_order", lambda *_: None)
    house.stream().put(4)
    house.begin(checkpoint=at(2, 5))
    house.returns()

    house.answer(unopened=[2])

    assert house.batch_positions(KEY) == [at(2, 6), at(3), at(4)]
    assert house.names()["position.trimmed"] == 0
    house.returns()
    assert house.leases.may_finish[KEY] == at(4)


def test_a_checkpoint_behind_what_cannot_be_opened_passes_it() -> None:
    house = House()
    house.stream().put(4)
    house.begin(checkpoint=at(2))
    house.returns()

    house.answer(unopened=[2])

    assert house.batch() == [3, 4]


def test_an_iterator_that_is_refused_is_got_again_before_anything_is_called_lost() -> None:
    house = house_with(page_records=2)
    house.start(6)
    house.advance(0.3)

    house.fail(FailureKind.INVALID)
    house.advance(0.3)

    assert house.fetches[KEY].start == Start(kind=StartKind.AFTER, sequence_number="2")
    assert house.names()["position.trimmed"] == 0


def test_a_refusal_that_no_position_explains_is_red_and_slow() -> None:
    house = House()
    house.start(0)

    house.fail(FailureKind.INVALID)

    assert not house.consumers.is_healthy
    assert house.names()["position.trimmed"] == 0


# -------------------------------------------------------------------------------------- pace


def test_a_shard_at_its_tip_is_read_once_a_second_and_one_behind_it_faster() -> None:
    house = house_with(page_records=1)
    house.stream().put(40)
    house.start(0)
    house.answer()
    for _ in range(60):
        if house.run().method == "process_records":
            house.returns()
        house.advance(0.1)
        if KEY in house.fetches:
            house.answer()

    gaps = [b - a for a, b in zip(house.fetched_at[KEY], house.fetched_at[KEY][1:], strict=False)]
    assert min(gaps) >= 0.2
    assert max(gaps) <= 0.4


def test_failures_of_user_code_do_not_stop_reading_ahead() -> None:
    house = house_with(page_records=1)
    house.start(9)
    house.returns(problem=error())
    house.advance(0.3)

    assert KEY in house.fetches


# ------------------------------------------------------------------------------------ memory


def test_shards_that_have_nothing_come_before_those_that_read_ahead() -> None:
    house = house_with(buffer_bytes=35 * MIB, page_records=5)
    keys = [f"shardId-{number:012}" for number in range(4)]
    for key in keys:
        house.stream(key).put(50)
        house.begin(key)
        house.returns(key)

    assert sorted(house.fetches) == keys[:3]
    for key in keys[:3]:
        house.answer(key)
    assert keys[3] in house.fetches
    house.answer(keys[3])

    assert all(house.run(key).method == "process_records" for key in keys)


def test_a_small_budget_still_allows_one_page_at_a_time() -> None:
    house = house_with(buffer_bytes=MIB)
    keys = [f"shardId-{number:012}" for number in range(3)]
    for key in keys:
        house.stream(key).put(3)
        house.begin(key)
        house.returns(key)
    order = []
    for _ in range(6):
        assert len(house.fetches) == 1
        key = next(iter(house.fetches))
        order.append(key)
        house.answer(key)
        if house.run(key).method == "process_records":
            house.returns(key)
        house.advance(0.4)

    assert order[:3] == keys
    assert house.consumers.buffered_bytes == 0


def test_a_read_that_is_under_way_when_the_lease_is_lost_gives_its_memory_back() -> None:
    house = house_with(buffer_bytes=MIB)
    for key in ("a", "b"):
        house.stream(key).put(3)
        house.begin(key)
        house.returns(key)
    assert list(house.fetches) == ["a"]

    house.lose("a")
    house.returns("a")
    house.returns("a")
    house.stale.append(house.fetches.pop("a"))
    house.answer_stale()

    assert list(house.fetches) == ["b"]
    assert house.consumers.buffered_bytes == 0


def test_everything_that_was_processed_is_let_go_of() -> None:
    house = house_with(batch_records=2)
    house.start(7, traits=EXPLICIT)
    assert house.consumers.buffered_bytes == 700

    process_all(house)

    assert house.consumers.buffered_bytes == 0


def test_a_read_that_brings_nothing_is_seen_in_status_until_one_does() -> None:
    house = House()
    house.start(0)

    house.fail(FailureKind.UNKNOWN)
    assert (
        house.consumers.status(house.now)[KEY].last_error == "kinesis:GetRecords: said the service"
    )
    assert house.consumers.is_healthy
    house.advance(11)
    house.answer()

    assert house.consumers.status(house.now)[KEY].last_error is None


def test_a_place_that_is_refused_in_the_middle_brings_nothing_twice() -> None:
    """As of a stream that was made anew: what was delivered in this epoch does not come again."""
    house = house_with(page_records=2)
    house.start(6)
    assert house.batch() == [1, 2]
    house.advance(0.3)

    house.fail(FailureKind.INVALID)
    house.advance(0.3)
    house.fail(FailureKind.INVALID, action="kinesis:GetShardIterator")
    house.advance(0.3)
    assert house.fetches[KEY].start == Start(kind=StartKind.TRIM_HORIZON)
    house.answer()
    house.advance(0.3)
    house.answer()
    house.returns()

    assert house.batch() == [3, 4]
