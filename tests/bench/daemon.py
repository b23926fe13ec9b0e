"""What does the MultiLangDaemon send? The same pages, as its lines, one for every answer.

The daemon itself is a JVM, and is not run: whoever is fed here has records for nothing that the
daemon would have to fetch, decode and write down again.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Final

from tests.bench.children import CHILD_SECONDS_MAX, ROOT, ChildError
from tests.bench.pages import LAG_SECONDS, Pages

INITIALIZE: Final = {
    "action": "initialize",
    "shardId": "shardId-000000000000",
    "sequenceNumber": "TRIM_HORIZON",
    "subSequenceNumber": 0,
}


def lines(pages: Pages) -> Iterator[bytes]:
    """Yield what a process is told about one shard."""
    yield _line(INITIALIZE)
    for page in range(pages.count):
        yield records_line(pages, page)


def records_line(pages: Pages, page: int) -> bytes:
    """Return a page as the daemon writes it: names, order and units of its JsonFriendlyRecord."""
    records = [
        {
            "data": record["Data"],
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": record["SequenceNumber"],
            "approximateArrivalTimestamp": round(record["ApproximateArrivalTimestamp"] * 1000),
            "subSequenceNumber": 0,
            "action": "record",
        }
        for record in json.loads(b"[" + pages.numbered(page) + b"]")
    ]
    lag = LAG_SECONDS * 1000
    return _line({"action": "processRecords", "records": records, "millisBehindLatest": lag})


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def feed(
    command: Sequence[str], environment: Mapping[str, str], told: Iterable[bytes]
) -> dict[str, Any]:
    """Run a child, tell it a line whenever it has answered the last, and return its last line.

    Raises:
        ChildError: It ended early, or took too long; with what it said.
    """
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as process,
    ):
        limit = threading.Timer(CHILD_SECONDS_MAX, process.kill)
        limit.start()
        try:
            left = _tell(process, told)
        except (BrokenPipeError, json.JSONDecodeError, EOFError):
            process.kill()
            left = b""
        finally:
            limit.cancel()
        if process.wait() != 0 or not left:
            said.seek(0)
            raise ChildError(f"{' '.join(command[1:4])} ended early: {said.read()}")
    found: dict[str, Any] = json.loads(left.splitlines()[-1])
    return found


def _tell(process: subprocess.Popen[bytes], told: Iterable[bytes]) -> bytes:
    """Tell all, and return what it wrote after its last answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    for line in told:
        process.stdin.write(line)
        process.stdin.flush()
        _wait_for_status(process.stdout)
    process.stdin.close()
    return process.stdout.read().strip()


def _wait_for_status(answers: IO[bytes]) -> None:
    """Skip empty lines, which surround every answer."""
    for line in answers:
        if line.strip():
            assert json.loads(line)["action"] == "status", line
            return
    raise EOFError
