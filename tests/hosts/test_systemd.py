"""Does systemd hear what sd_notify(3) promises it, and only of a worker that lives?"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.cli.running.notifying import Notifying, Silence, without_systemd
from kcl_py.hosts.systemd import (
    FEED_SECONDS_MIN,
    STATUS_INTERVAL_SECONDS,
    Address,
    Notifier,
    SystemdNotifier,
    address_of,
    pause_of,
    status_line,
)
from kcl_py.records import Position
from kcl_py.status import ShardStatus, WorkerEvent, WorkerStatus, idle_status
from tests.hosts.fakes import Systemd


@pytest.fixture(params=["path", "abstract"])
def systemd(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Systemd]:
    path = str(tmp_path / "notify")
    made = Systemd(path if request.param == "path" else f"@kcl-test-{os.getpid()}-{tmp_path.name}")
    yield made
    made.close()


def shard(key: str, behind: float | None) -> ShardStatus:
    """One of which nothing was read since long ago, when it was at the tip."""
    return ShardStatus(
        lease_key=key,
        shard_id=key,
        state="processing",
        fencing_token=1,
        delivered=Position("1"),
        finished=None,
        checkpointed=None,
        lag=None if behind is None else 0.0,
        behind=behind,
        attempt=1,
        last_error=None,
        fence_in=5.0,
    )


class Worker:
    """One that answers, or one whose control thread hangs."""

    worker_id = "people-1"

    def __init__(self) -> None:
        self.now = 0.0
        self.hangs = False
        self.state = idle_status("people-1", "running")

    def status(self) -> WorkerStatus:
        self.now += 2.0 if self.hangs else 0.01
        return self.state

    def request_stop(self) -> None:
        raise AssertionError("nobody asked for that")


def event(name: str) -> WorkerEvent:
    return WorkerEvent(name=name, at=0.0, lease_key=None, fields={})


def test_a_life_as_systemd_hears_it(systemd: Systemd) -> None:
    worker = Worker()
    notifier = SystemdNotifier(Address(systemd.path, 60.0), now=lambda: worker.now)
    notifier.start(worker)
    notifier.hear(event("sync.finished"))
    assert systemd.heard() == ["STATUS=starting people-1"]
    notifier.hear(event("worker.ready"))
    assert systemd.heard() == ["READY=1\nSTATUS=running"]
    notifier.tell(worker)
    assert systemd.heard() == ["WATCHDOG=1\nSTATUS=running: 0 leases, one of 1 worker"]
    notifier.hear(event("worker.leaving"))
    assert systemd.heard() == ["STOPPING=1\nSTATUS=draining"]
    notifier.close()
    assert systemd.heard() == []


def test_a_worker_that_ends_before_it_ran_is_stopping(systemd: Systemd) -> None:
    notifier = SystemdNotifier(Address(systemd.path, None))
    notifier.start(Worker())
    notifier.close()

    assert systemd.heard()[-1] == "STOPPING=1\nSTATUS=draining"


def test_the_watchdog_is_not_fed_for_a_worker_that_hangs(systemd: Systemd) -> None:
    worker = Worker()
    notifier = SystemdNotifier(Address(systemd.path, 60.0), now=lambda: worker.now)
    worker.hangs = True
    notifier.tell(worker)
    assert systemd.heard() == []
    worker.hangs = False
    notifier.tell(worker)
    assert systemd.heard()[0].startswith("WATCHDOG=1\n")


def test_without_a_watchdog_only_the_status_is_told(systemd: Systemd) -> None:
    worker = Worker()
    SystemdNotifier(Address(systemd.path, None), now=lambda: worker.now).tell(worker)

    assert systemd.heard() == ["STATUS=running: 0 leases, one of 1 worker"]


def test_the_thread_feeds_it_by_itself(systemd: Systemd) -> None:
    notifier = SystemdNotifier(Address(systemd.path, 0.002))
    notifier.start(Worker())
    found: list[str] = []
    while not any(text.startswith("WATCHDOG=1") for text in found):
        found += systemd.heard()
    notifier.close()


def test_a_systemd_that_has_gone_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kcl_py.hosts")
    notifier = Notifier(str(tmp_path / "nothing"))
    notifier.send("READY=1")
    notifier.send("STOPPING=1")

    assert [record.getMessage() for record in caplog.records] == ["systemd.unreachable"]


def test_a_status_is_one_line_that_says_what_matters() -> None:
    status = idle_status("w", "running")
    assert status_line(status) == "running: 0 leases, one of 1 worker"
    busy = replace(
        status,
        shards={"a": shard("a", 0.25), "b": shard("b", 12.5), "c": shard("c", None)},
        peers=("x", "y"),
        healthy=False,
    )
    assert status_line(busy) == "running: 3 leases, 12.5 s behind, one of 3 workers, unhealthy"


# ---------------------------------------------------------------------------- what systemd sets

PID = 7


@pytest.mark.parametrize(
    ("env", "address"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": ""}, None),
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, None),
        ({"NOTIFY_SOCKET": "/run/n"}, Address("/run/n", None)),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "60000000"}, Address("@n", 60.0)),
        (
            {"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "7"},
            Address("@n", 1e-6),
        ),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "8"}, Address("@n", None)),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "soon"}, Address("@n", None)),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "0"}, Address("@n", None)),
    ],
)
def test_what_systemd_set_is_read(env: Mapping[str, str], address: Address | None) -> None:
    assert address_of(env, PID) == address


# ------------------------------------------------------------------------ several processes


def test_a_process_that_falls_silent_is_named_until_it_is_heard_of() -> None:
    silence = Silence(30.0)
    silence.heard(0, 0.0)
    silence.heard(1, 0.0)
    silence.heard(0, 20.0)
    assert silence.silent(30.0) == []
    assert silence.silent(31.0) == [1]
    silence.ended(1)
    assert silence.silent(50.1) == [0]
    silence.heard(0, 51.0)
    assert silence.silent(51.0) == []


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["heard", "ended"]), st.floats(0, 40)))
)
def test_only_who_runs_and_was_silent_too_long_is_named(
    steps: list[tuple[int, str, float]],
) -> None:
    silence, now, last = Silence(30.0), 0.0, dict[int, float]()
    for number, what, later in steps:
        now += later
        if what == "heard":
            silence.heard(number, now)
            last[number] = now
        else:
            silence.ended(number)
            last.pop(number, None)
        assert sorted(silence.silent(now)) == sorted(n for n, at in last.items() if now - at > 30.0)


def test_systemd_hears_of_all_and_each_process_speaks_to_its_own_socket(
    systemd: Systemd, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    notifying = Notifying(Address(systemd.path, 60.0), folder)
    env = {"NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}
    theirs = [notifying.environment_of(number, env | {"X": "y"}) for number in (0, 1)]
    for number in (0, 1):
        notifying.started(number, 0.0)
    assert len({each["NOTIFY_SOCKET"] for each in theirs} | {systemd.path}) == 3
    assert theirs[0] | {"NOTIFY_SOCKET": ""} == {
        "NOTIFY_SOCKET": "",
        "WATCHDOG_USEC": "60000000",
        "X": "y",
    }
    assert notifying.look(1.0, "running: 2 of 2 processes") == []
    assert systemd.heard() == ["WATCHDOG=1\nSTATUS=running: 2 of 2 processes"]
    notifying.ready()
    for _ in range(3):
        Notifier(theirs[0]["NOTIFY_SOCKET"]).send("WATCHDOG=1", "STATUS=fine")
    assert notifying.look(40.0, "running: 2 of 2 processes") == []
    assert notifying.look(61.0, "running: 2 of 2 processes") == [1]
    notifying.ended(1)
    assert notifying.look(62.0, "running: 1 of 2 processes") == []
    notifying.stopping()
    notifying.close()
    assert systemd.heard() == [
        "READY=1",
        "WATCHDOG=1",
        "STATUS=running: 1 of 2 processes",
        "STOPPING=1",
    ]


@pytest.mark.parametrize("is_started_again", [False, True])
def test_last_words_that_are_read_after_an_end_promise_nothing(
    systemd: Systemd, tmp_path: Path, *, is_started_again: bool
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    notifying = Notifying(Address(systemd.path, 10.0), folder)
    theirs = notifying.environment_of(0, {})
    notifying.started(0, 0.0)
    Notifier(theirs["NOTIFY_SOCKET"]).send("STOPPING=1", "STATUS=draining")
    notifying.ended(0)

    assert notifying.look(1.0, "draining: 0 of 1 processes") == []
    assert notifying.look(30.0, "draining: 0 of 1 processes") == []
    if is_started_again:
        notifying.started(0, 31.0)
        assert notifying.look(41.1, "running: 1 of 1 processes") == [0]
    notifying.close()


def test_without_a_watchdog_the_processes_are_left_alone(tmp_path: Path) -> None:
    env = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "X": "y"}

    assert Notifying(Address("/x", None), tmp_path).environment_of(0, env) == {"X": "y"}
    assert without_systemd(env) == {"X": "y"}


@given(st.none() | st.floats(1e-6, 1e15))
def test_no_watchdog_is_so_short_that_the_worker_is_asked_all_the_time(
    watchdog: float | None,
) -> None:
    pause = pause_of(watchdog)

    assert FEED_SECONDS_MIN <= pause <= STATUS_INTERVAL_SECONDS
    assert watchdog is None or watchdog < 2 * FEED_SECONDS_MIN or pause <= watchdog / 2


def test_a_worker_that_cannot_be_asked_for_once_is_asked_again(
    systemd: Systemd, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kcl_py.hosts.systemd.FEED_SECONDS_MIN", 0.001)
    bugs = iter([ZeroDivisionError("bug"), ZeroDivisionError("bug")])

    class Clumsy(Worker):
        def status(self) -> WorkerStatus:
            for bug in bugs:
                raise bug
            return super().status()

    notifier = SystemdNotifier(Address(systemd.path, 0.002))
    notifier.start(Clumsy())
    found: list[str] = []
    while not any(text.startswith("WATCHDOG=1") for text in found):
        found += systemd.heard()
    notifier.close()

    assert [record.getMessage() for record in caplog.records] == ["systemd.failed"]
