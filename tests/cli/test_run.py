"""Does `kcl run` run what it is told, say when it runs, and end as it is asked to?"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kcl_py.local.process import EngineProcess

PATIENCE_SECONDS = 60.0

APP = """
import functools, sys
from kcl_py import RecordProcessor, each_record

class Thing(RecordProcessor):
    def __init__(self, *, word="class"):
        self.word = word
    def process_records(self, batch):
        for record in batch:
            sys.stdout.write(f"{self.word} {record.text()}\\n")
        sys.stdout.flush()

factory = functools.partial(Thing, word="factory")

def function(batch):
    for record in batch:
        sys.stdout.write(f"function {record.text()}\\n")
    sys.stdout.flush()

@each_record
async def each(record):
    sys.stdout.write(f"each {record.text()}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize(
    ("thing", "word"),
    [("Thing", "class"), ("factory", "factory"), ("function", "function"), ("each", "each")],
)
def test_whatever_makes_or_is_a_processor_runs(
    tmp_path: Path, engine: EngineProcess, clients: Mapping[str, Any], thing: str, word: str
) -> None:
    (tmp_path / "app.py").write_text(APP)
    name = f"t{uuid.uuid4().hex[:12]}"
    kinesis = clients["kinesis"]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 0.05})
    kinesis.put_record(StreamName=name, Data=b"hello", PartitionKey="k")
    environment = {
        **engine.environment,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "KCL_APP_NAME": name,
        "KCL_STREAM": name,
        "KCL_LEASES_DURATION": "3s",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "kcl_py", "run", f"app:{thing}", "--ready-file", "-",
         "--log-format", "json", "--audit-log", "audit.jsonl"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = [process.stdout.readline(), process.stdout.readline()]
    assert process.stderr is not None
    process.send_signal(signal.SIGUSR1)
    said = ""
    while "worker.stacks_dumped" not in said:  # else the worker may be gone before it has looked
        said += (line := process.stderr.readline())
        assert line, said
    process.send_signal(signal.SIGTERM)
    said += process.stderr.read()
    process.stdout.close()
    process.stderr.close()

    assert process.wait(PATIENCE_SECONDS) == 0
    assert f"{word} hello\n" in lines
    facts = next(json.loads(line) for line in lines if line.startswith("{"))
    assert facts["ready"] is True
    assert facts["pid"] == process.pid
    events = [json.loads(line) for line in said.splitlines()]
    assert "lease.taken" in {event["event"] for event in events}
    stacks = [event["stacks"] for event in events if event["event"] == "worker.stacks_dumped"]
    assert "Thread kcl-control:" in stacks[0]
    assert all(event["worker_id"] == facts["worker_id"] for event in events)
    audit = (tmp_path / "audit.jsonl").read_text()
    kinds = [json.loads(line)["kind"] for line in audit.splitlines()]
    assert kinds.count("record") == 1
