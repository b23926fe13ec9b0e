"""What exactly did this worker hand to user code? Lines that no other process can tear."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from kcl_py.processor import Batch
from kcl_py.records import Record
from kcl_py.shell.audit import AuditLog
from kcl_py.testing.audit.log import read_audit_logs
from tests.shell.run_world import FENCE, World
from tests.shell.tools import PATIENCE, close, deliver, start_run


def test_many_writers_share_a_file_and_no_line_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    def write(worker: int) -> None:
        epoch = AuditLog(path, f"w-{worker}").epoch("shardId-1", worker)
        for number in range(200):
            epoch.record(float(number), Record(sequence_number=str(number), data=b""))

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = read_audit_logs([path])
    assert len(events) == 800
    for worker in range(4):
        mine = [event for event in events if event.worker == f"w-{worker}"]
        assert [event.at for event in mine] == [float(number) for number in range(200)]
        assert [event.place for event in mine] == [(number, 0) for number in range(200)]


def test_a_worker_says_when_it_began_and_ended(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, 'w-"1"')

    log.worker_started(1.5)
    log.epoch("shardId-1", 42).fenced(2.0)
    log.worker_ended(2.5)

    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"t": 1.5, "kind": "worker_started", "w": 'w-"1"'},
        {"t": 2.0, "kind": "fenced", "w": 'w-"1"', "k": "shardId-1", "e": 42},
        {"t": 2.5, "kind": "worker_ended", "w": 'w-"1"'},
    ]


def test_the_audit_log_tells_the_life_of_an_epoch(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    world = World(AuditLog(path, "w-1"))

    def process(batch: Batch) -> None:
        for record in batch:
            if record.sequence_number == "2":
                raise ValueError

    runs = world.runs(process)
    runs.start(start_run())
    runs.call(deliver(3))
    runs.call(close())
    for _ in range(3):
        world.returns.next()

    events = read_audit_logs([path])
    assert [(event.kind, event.place, event.method, event.ok) for event in events] == [
        ("begun", None, "", True),
        ("returned", None, "initialize", True),
        ("record", (1, 0), "", True),
        ("record", (2, 0), "", True),
        ("returned", None, "process_records", False),
        ("returned", None, "close", True),
    ]
    assert {(event.worker, event.key, event.token) for event in events} == {("w-1", "shardId-1", 7)}


def test_a_record_past_the_fence_leaves_no_line_and_is_not_yielded(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    world = World(AuditLog(path, "w-1"))

    def process(batch: Batch) -> None:
        for _ in batch:
            world.hand.time = FENCE

    runs = world.runs(process)
    runs.start(start_run(fence=FENCE))
    runs.call(deliver(3))
    assert world.returns.next().error is None
    assert world.returns.next().error is not None
    runs.abandon(PATIENCE)

    records = [event for event in read_audit_logs([path]) if event.kind == "record"]
    assert [(event.at, event.place) for event in records] == [(100.0, (1, 0))]
