"""Is the CPU measured beside a worker that somebody watches, and only there?"""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from kcl_py import Batch, HealthConfig, Worker, WorkerConfig
from kcl_py.aws.names import parse_stream
from kcl_py.hosts.cpu_watch import CpuWatch
from kcl_py.local import Engine
from kcl_py.observers import observers
from tests.metrics.test_publisher import Watch

PATIENCE = 30.0


class Measured:
    """Says what it is told to, and when it was asked so often."""

    def __init__(self, *answers: float | None) -> None:
        self.answers = list(answers)
        self.is_over = threading.Event()

    def __call__(self) -> float | None:
        if not self.answers:
            self.is_over.set()
            raise OSError("nothing more")
        return self.answers.pop(0)


def test_the_last_answer_counts() -> None:
    asked = threading.Event()

    def measure() -> float | None:
        asked.set()
        return 0.5

    watch = CpuWatch(measure, interval=3600.0)
    assert watch.used is None
    watch.start(Watch())
    assert asked.wait(PATIENCE)
    while watch.used is None:
        """The answer is being noted."""
    watch.close()

    assert watch.used == 0.5


def test_what_raises_is_told_and_is_not_a_number(caplog: pytest.LogCaptureFixture) -> None:
    measured = Measured(0.25, None)
    watch = CpuWatch(measured, interval=0.0)
    watch.start(Watch())
    assert measured.is_over.wait(PATIENCE)
    while not caplog.records:
        """It is being told."""

    assert [each.message for each in caplog.records] == ["cpu.failed"]
    assert watch.used is None


def test_status_has_it_while_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kcl_py.hosts.cpu_watch.Cpu.fraction", lambda _self: 0.5)

    def process(batch: Batch) -> None:
        """Nothing comes."""

    seen: list[float | None] = []
    with Engine() as engine:
        session = engine.session()
        session.client("kinesis").create_stream(StreamName="people", ShardCount=1)
        for app, health in (("asked", HealthConfig(port=0)), ("quiet", HealthConfig())):
            config = replace(engine.config(), health=health)
            with Worker(
                app_name=app, stream="people", processor=process, config=config, session=session
            ) as worker:
                while worker.status().state == "starting":
                    """It starts."""
                seen.append(worker.status().cpu_used)

    assert seen == [0.5, None]
    assert not observers(WorkerConfig(), "quiet", parse_stream("people")).companions
