"""Does whoever looks after a worker go on, whatever its file, its port and its worker do?"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kcl_py import ConfigError, HealthConfig
from kcl_py.health import companion
from kcl_py.health.beat import Beat, read_beat, steady
from kcl_py.health.companion import Health
from kcl_py.status import WorkerStatus
from tests.metrics.samples import STATUS

PATIENCE = 20.0


class Watch:
    """A worker that only has a status, and may have none."""

    worker_id = "w-1"

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.error: Exception | None = None

    def status(self) -> WorkerStatus:
        self.asked.release()
        if self.error is not None:
            raise self.error
        return STATUS

    def request_stop(self) -> None:
        raise AssertionError("health stops nothing")


def health(**config: object) -> Health:
    return Health(
        HealthConfig(**config),  # type: ignore[arg-type]  # of tests
        now=steady,
        exposition=lambda status: iter((status.worker_id,)),
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companion, "BEAT_SECONDS", 0.01)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_ordinary_file_is_refused_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    file = tmp_path / "health"
    make(file)
    before = file.lstat()

    with pytest.raises(ConfigError, match=r"is no ordinary file, .*; name another"):
        health(file=str(file)).start(Watch())

    assert (before.st_ino, before.st_mode) == (file.lstat().st_ino, file.lstat().st_mode)


def test_a_path_that_is_none_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match=r"health\.file = .* cannot be written"):
        health(file="/tmp/a\0b").start(Watch())


def test_a_refused_start_leaves_no_beat_behind(tmp_path: Path) -> None:
    file = tmp_path / "health"
    with socket.create_server(("127.0.0.1", 0)) as other:
        beside = health(file=str(file), port=other.getsockname()[1])
        with pytest.raises(ConfigError, match="choose another port"):
            beside.start(Watch())

    assert not file.exists()


@pytest.mark.usefixtures("quick")
def test_a_disk_that_hangs_does_not_hold_up_whoever_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_hanging, go_on = threading.Event(), threading.Event()
    beside, worker = health(file=str(tmp_path / "health")), Watch()
    beside.start(worker)

    def hang(_path: str, _beat: Beat) -> None:
        is_hanging.set()
        go_on.wait(PATIENCE)

    monkeypatch.setattr(companion, "write_beat", hang)
    try:
        assert is_hanging.wait(PATIENCE)
        while worker.asked.acquire(blocking=False):
            pass
        assert all(worker.asked.acquire(timeout=PATIENCE) for _ in range(5))
    finally:
        go_on.set()
        beside.close()


@pytest.mark.usefixtures("quick")
def test_a_worker_that_cannot_be_looked_at_for_once_is_looked_at_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "health"
    beside, worker = health(file=str(file)), Watch()
    beside.start(worker)
    worker.error = KeyError("a bug of ours")
    while worker.asked.acquire(blocking=False):
        pass
    assert all(worker.asked.acquire(timeout=PATIENCE) for _ in range(5))
    worker.error = None
    written = read_beat(str(file))["at"]
    while read_beat(str(file))["at"] == written:
        assert worker.asked.acquire(timeout=PATIENCE)
    beside.close()

    assert [each.message for each in caplog.records] == ["health.failed"]
    assert not file.exists()
