"""Does a real worker's health say what is so? On the embedded engine, over HTTP and by its file."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kcl_py import (
    Batch,
    ConfigError,
    DeliveryConfig,
    HealthConfig,
    LeaseConfig,
    PollingConfig,
    RecordProcessor,
    ShardContext,
    Worker,
    WorkerConfig,
)
from kcl_py.health import probe
from kcl_py.health.companion import Health
from kcl_py.local import Engine
from kcl_py.shell.control import StatusAsked

PATIENCE = 40.0


class Waits(RecordProcessor):
    """Returns when it is let go."""

    def __init__(self, method: str, go_on: threading.Event) -> None:
        self.method, self.go_on = method, go_on

    def process_records(self, batch: Batch) -> None:
        if self.method == "process_records":
            self.go_on.wait(PATIENCE)

    def shutdown_requested(self, shard: ShardContext) -> None:
        if self.method == "shutdown_requested":
            self.go_on.wait(PATIENCE)


class World:
    """One worker with its health, and somebody who asks."""

    def __init__(self, engine: Engine, file: Path) -> None:
        self.engine, self.file = engine, file
        self.go_on = threading.Event()
        self.worker: Worker | None = None

    def start(self, method: str, **config: Any) -> Worker:
        self.create()
        base: WorkerConfig = replace(
            self.engine.config(),
            leases=LeaseConfig(duration=3.0, settle=0.0, handoff_timeout=4.0),
            stop_grace=5.0,
            health=HealthConfig(port=0, file=str(self.file)),
        )
        self.worker = Worker(
            app_name="demo",
            stream="people",
            processor=lambda: Waits(method, self.go_on),
            config=replace(base, **config),
            session=self.engine.session(),
        )
        self.worker.start()
        return self.worker

    def create(self) -> None:
        """Make the stream, unless it is there."""
        client = self.engine.session().client("kinesis")
        if not client.list_streams()["StreamNames"]:
            client.create_stream(StreamName="people", ShardCount=1)
            client.get_waiter("stream_exists").wait(StreamName="people", WaiterConfig={"Delay": 1})

    def put(self, count: int) -> None:
        self.engine.session().client("kinesis").put_records(
            StreamName="people", Records=[{"Data": b"x", "PartitionKey": "k"}] * count
        )

    def ask(self, path: str) -> tuple[int, str]:
        assert self.worker is not None
        health = next(one for one in self.worker._companions if isinstance(one, Health))
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{health.port}{path}") as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.ask("/statusz")[1])
        return told

    def becomes(self, path: str, code: int, why: str = "") -> bool:
        return until(lambda: self.ask(path)[0] == code and why in self.ask(path)[1])

    def command(self, *flags: str) -> tuple[int, str]:
        said: list[str] = []
        return probe.main(["--file", str(self.file), *flags], {}, said.append), "".join(said)


def until(so: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not so():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Engine() as engine:
        world = World(engine, tmp_path / "health")
        yield world
        world.go_on.set()
        if world.worker is not None:
            world.worker.stop(PATIENCE)


def test_a_worker_that_lags_is_alive_and_ready_and_says_so(world: World) -> None:
    # Before it starts: what is read in the very millisecond in which it came has no lag.
    world.create()
    world.put(50)
    world.start("process_records", reading=PollingConfig(page_records=1))

    def lags() -> bool:
        return any((shard["lag"] or 0) > 0 for shard in world.status()["shards"].values())

    assert until(lags)
    assert world.ask("/livez") == (200, "running, 1 shard\n")
    assert world.ask("/readyz") == (200, "running, 1 shard\n")
    assert until(lambda: world.command() == (0, "running, 1 shard\n"))
    assert world.command("--ready")[0] == 0


def test_user_code_that_hangs_turns_it_red_until_it_returns(world: World) -> None:
    world.start("process_records", delivery=DeliveryConfig(hung_after=0.5, slow_after=0.2))
    assert world.becomes("/livez", 200, "running")
    world.put(1)

    assert world.becomes("/livez", 503, "user code hangs in shardId-000000000000")
    assert world.ask("/readyz")[0] == 503
    assert until(lambda: world.command() == (1, "user code hangs in shardId-000000000000\n"))
    world.go_on.set()
    assert world.becomes("/livez", 200, "running")


def test_a_blocked_control_thread_turns_it_red_until_it_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kcl_py.health.verdict.ANSWER_SECONDS_MAX", 4.0)

    class Blocks(StatusAsked):
        def __init__(self) -> None:
            self.answer = self  # type: ignore[assignment]  # of which only this method is called

        def set_result(self, _status: object) -> None:
            world.go_on.wait(PATIENCE)

    worker = world.start("nothing")
    assert world.becomes("/readyz", 200)
    assert worker._shell is not None
    worker._shell.mailbox.put(Blocks())

    assert world.becomes("/livez", 503, "the control thread has not answered for")
    assert world.status()["age"] > 4.0
    assert until(lambda: world.command()[0] == 1)
    world.go_on.set()
    assert world.becomes("/livez", 200)


def test_a_worker_that_drains_is_alive_and_not_ready(world: World) -> None:
    worker = world.start("shutdown_requested")
    assert until(lambda: "processing" in str(world.status()["shards"]))
    worker.request_stop()

    assert world.becomes("/readyz", 503, "draining")
    assert world.ask("/livez") == (200, "draining\n")
    assert until(lambda: world.command("--ready") == (1, "draining\n"))
    assert world.command() == (0, "draining\n")
    world.go_on.set()
    worker.stop(PATIENCE)
    assert not world.file.exists()


def test_status_is_the_same_as_from_inside(world: World) -> None:
    worker = world.start("nothing")
    assert until(lambda: "processing" in str(world.status()["shards"]))

    told = world.status()
    assert told["worker_id"] == worker.worker_id
    assert (told["alive"], told["ready"]) == (True, True)
    assert set(worker.status().to_dict()) < set(told)


def test_a_port_that_is_taken_refuses_the_start(world: World) -> None:
    worker = world.start("nothing")
    port = next(one.port for one in worker._companions if isinstance(one, Health))
    config = replace(world.engine.config(), health=HealthConfig(port=port))
    second = Worker(app_name="demo", stream="people", processor=lambda batch: None, config=config)

    with pytest.raises(ConfigError, match="choose another port"):
        second.run()


def test_a_file_that_cannot_be_written_refuses_the_start(tmp_path: Path) -> None:
    config = WorkerConfig(health=HealthConfig(file=str(tmp_path / "no" / "file")))
    worker = Worker(app_name="demo", stream="people", processor=lambda batch: None, config=config)

    with pytest.raises(ConfigError, match=r"health\.file = .*cannot be written"):
        worker.run()
