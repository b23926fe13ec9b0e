"""Are calls of AWS counted by kind and end, and is one noticed that does not come back?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from kcl_py.core.events import Failure, FailureKind
from kcl_py.shell.meter import Meter
from tests.shell.tools import HandClock


def test_calls_are_counted_by_kind_with_their_time_and_end() -> None:
    clock = HandClock()
    meter = Meter(clock.now)
    for kind, seconds, failure in (
        ("Scan", 0.5, None),
        ("Scan", 2.0, Failure(FailureKind.THROTTLED, "dynamodb:Scan", "")),
        ("Scan", 3.0, Failure(FailureKind.UNKNOWN, "dynamodb:Scan", "")),
        ("Query", 0.25, None),
    ):
        call = meter.begin(kind)
        clock.time += seconds
        meter.end(call, failure)

    made = meter.values()
    assert set(made) == {"Scan", "Query"}
    assert (made["Scan"].count, made["Scan"].seconds) == (3, 5.5)
    assert (made["Scan"].failed, made["Scan"].throttled) == (2, 1)
    assert (made["Query"].count, made["Query"].failed) == (1, 0)


def test_the_oldest_call_under_way_is_the_one_that_waits() -> None:
    clock = HandClock()
    meter = Meter(clock.now)
    first = meter.begin("LeaseWrite")
    clock.time += 10
    second = meter.begin("LeaseWrite")
    clock.time += 1

    assert meter.waits() == {"LeaseWrite": 11.0}
    meter.end(first, None)
    assert meter.waits() == {"LeaseWrite": 1.0}
    meter.end(second, None)
    assert meter.waits() == {}


def test_no_call_of_many_threads_is_lost() -> None:
    meter = Meter(HandClock().now)

    def work(_: int) -> None:
        for _ in range(500):
            meter.end(meter.begin("GetRecords"), None)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert meter.values()["GetRecords"].count == 4000
