"""Does `kcl produce` deliver what an input holds, and account for all that it does not?"""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kcl_py._words import counted
from kcl_py.cli.producing.undelivered import Undeliverable
from kcl_py.local.process import EngineProcess
from kcl_py.local.session import make_session
from kcl_py.producer.core import retrying
from kcl_py.streams import Stream
from tests.cli.typed import Kcl, Typed

NUMBERS = itertools.count()
ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


@pytest.fixture
def stream(
    at_engine: EngineProcess, clients: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    monkeypatch.setattr(retrying, "WAIT_SECONDS_MAX", 0.2)
    name = f"produce-{next(NUMBERS)}"
    kinesis = clients["kinesis"]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    Stream(name, session=make_session(at_engine.endpoint_url)).wait_active(timeout=60)
    yield name
    at_engine.set_faults([])
    kinesis.delete_stream(StreamName=name)


Given = Callable[[bytes | str], None]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Put this on stdin."""

    def put(data: bytes | str) -> None:
        raw = data.encode() if isinstance(data, str) else data
        file = io.TextIOWrapper(io.BufferedReader(io.BytesIO(raw)))
        monkeypatch.setattr("sys.stdin", file)

    return put


def stored(kcl: Kcl, stream: str) -> list[tuple[str, bytes]]:
    """Keys and data, in order."""
    typed = kcl("tail", "--stream", stream, "-o", "jsonl", "--decode", "base64")
    rows = [json.loads(line) for line in typed.out.splitlines()]
    return [(row["partition_key"], base64.b64decode(row["data"])) for row in rows]


def data_in(kcl: Kcl, stream: str) -> list[bytes]:
    return [data for _, data in stored(kcl, stream)]


def outcome(typed: Typed) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(typed.out)
    return found


# ------------------------------------------------------------------------------------------ formats


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", b'{"k": "a"}\r\n\n {"k":1}', [("a", b'{"k": "a"}'), ("1", b'{"k":1}')]),
        ("a", b'\xef\xbb\xbf{"k":"a"}\n', [("a", b'{"k":"a"}')]),
        ("a.json", b' [ {"k" : "a"} , {"k":1}]\n', [("a", b'{"k":"a"}'), ("1", b'{"k":1}')]),
        ("a", b'[{"k":"a","n":1.50}]', [("a", b'{"k":"a","n":1.50}')]),
        ("a.json", b"[]", []),
        ("a.jsonl", b"", []),
        (
            "a.csv",
            b'k,text\r\na,"one, ""two""\r\nthree"\r\n\r\nb,\r\n',
            [("a", b'{"k":"a","text":"one, \\"two\\"\\r\\nthree"}'), ("b", b'{"k":"b","text":""}')],
        ),
    ],
)
def test_forms_with_keys(
    stream: str,
    kcl: Kcl,
    tmp_path: Path,
    name: str,
    content: bytes,
    expected: list[tuple[str, bytes]],
) -> None:
    (tmp_path / name).write_bytes(content)

    typed = kcl("produce", stream, name, "--key", "k", "--order", "per_key")

    assert typed.code == 0, typed
    assert stored(kcl, stream) == expected
    assert counted(len(expected), "record") in typed.out


def test_text_is_stored_line_by_line_as_it_is(stream: str, kcl: Kcl, given: Given) -> None:
    given(b"one\n\xff\x00 two\r\n\nlast")

    assert kcl("produce", stream, "-").code == 0
    assert data_in(kcl, stream) == [b"one", b"\xff\x00 two", b"", b"last"]


def test_the_form_can_be_told(stream: str, kcl: Kcl, given: Given) -> None:
    given('{"a": 1}\n')

    assert kcl("produce", "--stream", stream, "--format", "text").code == 0
    given("a,b\n1,2\n")
    assert kcl("produce", stream, "--format", "csv").code == 0
    assert data_in(kcl, stream) == [b'{"a": 1}', b'{"a":"1","b":"2"}']


def test_a_count_ends_it(stream: str, kcl: Kcl, given: Given) -> None:
    given("1\n2\n3\n")

    assert outcome(kcl("produce", stream, "-n", "2", "--json"))["delivered"] == 2
    assert data_in(kcl, stream) == [b"1", b"2"]


def test_users_are_made_up(stream: str, kcl: Kcl) -> None:
    more = ("--key", "name", "--aggregation", "per_shard", "--rate", "1000/s")
    typed = kcl("produce", stream, "--demo", "users", "--count", "7", *more)

    assert typed.code == 0, typed
    for key, data in stored(kcl, stream):
        user = json.loads(data)
        assert user.keys() == {"id", "name", "age", "gender"}
        assert user["name"] == key
    assert len(stored(kcl, stream)) == 7


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", b'{"k":"1"}\n{"k"\n{"k":"3"}\n', ["line 2", "read as jsonl", "no JSON"]),
        ("a.jsonl", b'{"k":"1"}\nNaN\n{"k":"3"}\n', ["line 2", "no JSON"]),
        ("a.jsonl", b'{"k":"1"}\n{"K":2}\n{"k":"3"}\n', ["line 2", "no field k"]),
        ("a.jsonl", b'{"k":"1"}\n{"k":null}\n{"k":"3"}\n', ["line 2", "field k is null"]),
        ("a.jsonl", b'{"k":"1"}\n{"k":1.5}\n{"k":"3"}\n', ["line 2", "no whole number"]),
        ("a.jsonl", b'{"k":"1"}\n{"k":""}\n{"k":"3"}\n', ["line 2", "key is empty"]),
        (
            "a.jsonl",
            b'{"k":"1"}\n{"k":"' + b"x" * 257 + b'"}\n{"k":"3"}\n',
            ["line 2", "257 characters"],
        ),
        (
            "a.jsonl",
            b'{"k":"1"}\n{"k":"2","x":"' + bytes([120]) * 1100000 + b'"}\n{"k":"3"}\n',
            ["line 2", "takes 1048576"],
        ),
        ("a.json", b'[{"k":"1"},{"k":[]},{"k":"3"}]', ["element 2", "an object or a list"]),
        ("a.csv", b"k,l\n1,\n2\n3,\n", ["line 3", "1 fields", "has 2"]),
        ("a.csv", b"k\n1\n\xff\n3\n", ["line 3", "no UTF-8"]),
        ("a.csv", b'k\n1\n"2"x\n3\n', ["line 3", "no CSV"]),
    ],
)
def test_a_bad_line_is_named(
    stream: str, kcl: Kcl, tmp_path: Path, name: str, content: bytes, words: list[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    asked = ("produce", stream, name, "--key", "k", "--order", "per_key")

    stopped = kcl(*asked)
    first = [key for key, _ in stored(kcl, stream)]
    skipped = kcl(*asked, "--skip-bad")

    assert stopped.failed(2, *words, "--skip-bad", "was not sent")
    assert first == ["1"]
    assert skipped.failed(1, "1 ", "left out")
    assert words[-1] in skipped.err
    assert [key for key, _ in stored(kcl, stream)] == ["1", "1", "3"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b'[{"k":"1"},{"k":', ["element 2", "no JSON"]),
        ("a.json", b'[{"k":"1"},]', ["element 2", "no JSON"]),
        ("a.json", b'[{"k":"1"} {"k":2}]', ["element 2", "neither , nor ]"]),
        ("a.json", b'[{"k":"1"}]\n[]', ["more behind the array", "--format jsonl"]),
        ("a", b'[{"k":"1"}\xff]', ["no UTF-8"]),
        ("a.csv", b"k,k\n1,1\n", ["line 1", "a name twice"]),
        ("a.csv", b"k,\n1,1\n", ["line 1", "an empty name"]),
    ],
)
def test_what_cannot_be_read_on_ends_it(
    stream: str, kcl: Kcl, tmp_path: Path, name: str, content: bytes, words: list[str]
) -> None:
    (tmp_path / name).write_bytes(content)

    assert kcl("produce", stream, name, "--skip-bad").failed(2, *words)


def test_what_was_left_out_is_written_down(stream: str, kcl: Kcl, given: Given) -> None:
    given('{"k":1}\nnope\n')
    asked = ("--format", "jsonl", "--skip-bad", "--failed", "failed")

    assert kcl("produce", stream, *asked).code == 1
    row = json.loads(Path("failed").read_text())
    assert (base64.b64decode(row["data"]), row["error"]) == (b"nope", "BadInput")
    given("{}\n")
    assert kcl("produce", stream, *asked).failed(2, "failed has something in it")


def test_wrong_usage_is_told_before_anything_is_sent(
    stream: str, kcl: Kcl, tmp_path: Path, given: Given
) -> None:
    given("x\n")
    (tmp_path / "a.txt").write_bytes(b"x\n")
    at = ("produce", stream)

    assert kcl("produce").failed(2, "--stream NAME|ARN")
    assert kcl(*at, "nowhere").failed(2, "nowhere cannot be read")
    assert kcl(*at, "a.txt", "b").failed(2, "too much")
    assert kcl(*at, "a.txt", "--key", "k").failed(2, "name fields, which text has not")
    assert kcl(*at, "a.txt", "--rate", "fast").failed(2, "--rate fast", "20/s")
    assert kcl(*at, "a.txt", "--linger", "soon").failed(2, "--linger soon")
    assert kcl(*at, "a.txt", "--failed", "a.txt").failed(2, "is the input")
    assert kcl(*at, "a.txt", "--demo", "users").failed(2, "--demo")
    assert kcl(*at, "a.txt", "--order", "any").failed(2, "per_key")
    assert data_in(kcl, stream) == []


# ------------------------------------------------------------------------------ what the world does


def test_a_missing_stream_ends_it(at_engine: EngineProcess, kcl: Kcl, given: Given) -> None:
    given("1\n2\n")

    typed = kcl("produce", "nowhere", "--failed", "failed")

    assert typed.failed(3, "2 records were not delivered", "does not exist")
    rows = [json.loads(line) for line in Path("failed").read_text().splitlines()]
    assert [base64.b64decode(row["data"]) for row in rows] == [b"1", b"2"]
    assert {row["error"] for row in rows} == {"ResourceNotFoundException"}


def test_what_failed_can_be_sent_again(
    stream: str, kcl: Kcl, given: Given, at_engine: EngineProcess
) -> None:
    given('{"k":"a"}\n{"k":"b"}\n')
    at_engine.set_faults([{"kind": "deny", "operations": ["PutRecords"]}])
    denied = kcl("produce", stream, "--key", "k", "--failed", "failed")
    at_engine.set_faults([])

    again = kcl("produce", stream, "failed", "--format", "failed", "--failed", "left")

    assert denied.failed(3, "2 records", "PutRecords")
    assert again.code == 0, again
    assert sorted(stored(kcl, stream)) == [("a", b'{"k":"a"}'), ("b", b'{"k":"b"}')]
    assert not Path("left").exists()


def test_throttles_are_waited_out(
    stream: str, kcl: Kcl, given: Given, at_engine: EngineProcess
) -> None:
    given("".join(f"{number}\n" for number in range(700)))
    rules = [
        {"kind": "throttle", "count": 2},
        {"kind": "partial", "probability": 0.3, "count": 3},
        {"kind": "500", "count": 1},
    ]
    at_engine.set_faults([{"operations": ["PutRecords"], **rule} for rule in rules])

    found = outcome(kcl("produce", stream, "--json"))

    assert (found["accepted"], found["delivered"], found["failed"]) == (700, 700, {})
    assert found["throttles"] > 0
    assert sorted(map(int, data_in(kcl, stream))) == list(range(700))


def test_what_is_throttled_for_too_long_is_handed_back(
    stream: str, kcl: Kcl, given: Given, at_engine: EngineProcess
) -> None:
    given("1\n2\n")
    at_engine.set_faults([{"kind": "throttle", "operations": ["PutRecords"]}])

    typed = kcl("produce", stream, "--record-ttl", "300ms", "--failed", "failed")

    assert typed.failed(1, "2 records were not delivered", "ProvisionedThroughputExceeded")
    assert len(Path("failed").read_text().splitlines()) == 2


def test_time_that_is_over_hands_back_what_is_left(
    stream: str, kcl: Kcl, given: Given, at_engine: EngineProcess
) -> None:
    given("1\n2\n")
    at_engine.set_faults([{"kind": "throttle", "operations": ["PutRecords"]}])

    typed = kcl("produce", stream, "--timeout", "500ms", "--failed", "failed")

    assert typed.failed(5, "out of time", "2 records were not delivered")
    assert len(Path("failed").read_text().splitlines()) == 2


# -------------------------------------------------------------------------------------- interrupted


def start(stream: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "kcl_py", "produce", stream, "--json", *more]
    return subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def write(running: subprocess.Popen[str], text: str) -> None:
    assert running.stdin is not None
    running.stdin.write(text)
    running.stdin.flush()


def until(what: Callable[[], bool]) -> None:
    """Look until it is so."""
    over = threading.Event()
    timer = threading.Timer(PATIENCE_SECONDS, over.set)
    timer.start()
    while not what():
        assert not over.wait(0.05), "it never came to be"
    timer.cancel()


def test_a_signal_ends_reading_and_delivers_what_was_read(stream: str, kcl: Kcl) -> None:
    running = start(stream)
    write(running, "1\n2\n")
    until(lambda: len(data_in(kcl, stream)) == 2)

    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE_SECONDS)

    found = json.loads(out)
    assert running.returncode == 130
    assert (found["delivered"], found["read_all"], found["last_place"]) == (2, False, 2)
    assert "what follows line 2 was not sent" in err


def test_time_ends_the_wait_for_an_input_that_never_begins(stream: str) -> None:
    running = start(stream, "--timeout", "300ms")

    assert running.wait(PATIENCE_SECONDS) == 5
    _, err = running.communicate()
    assert err == "error: out of time; nothing was sent\n"


def test_a_demo_is_ended_by_a_signal(stream: str, kcl: Kcl) -> None:
    running = start(stream, "--demo", "users", "--rate", "100/s")
    until(lambda: len(data_in(kcl, stream)) > 2)

    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=PATIENCE_SECONDS)

    assert (running.returncode, err) == (0, "")
    assert len(data_in(kcl, stream)) == json.loads(out)["delivered"] == json.loads(out)["accepted"]


def test_a_second_signal_waits_for_nothing_and_loses_nothing(
    stream: str, kcl: Kcl, at_engine: EngineProcess, tmp_path: Path
) -> None:
    at_engine.set_faults([{"kind": "throttle", "operations": ["PutRecords"]}])
    running = start(stream, "--failed", str(tmp_path / "failed"))
    write(running, "".join(f"{number}\n" for number in range(2000)))
    until(lambda: at_engine.faults()[0]["hits"] >= 4)

    # Two of a kind that come close together would be one to Python.
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=PATIENCE_SECONDS)

    found = json.loads(out)
    written = (tmp_path / "failed").read_text().splitlines()
    assert running.returncode == 130
    assert found["delivered"] + sum(found["failed"].values()) == found["accepted"] == 2000
    assert len(written) == sum(found["failed"].values()) == 2000
    assert "were not delivered" in err


def test_a_device_for_what_failed_is_left_where_it_is(tmp_path: Path) -> None:
    link = tmp_path / "nowhere"
    link.symlink_to(os.devnull)

    Undeliverable(link, None).close()

    assert link.is_symlink()


def test_a_file_of_failures_that_somebody_takes_away_is_told(tmp_path: Path) -> None:
    for has_failed in (False, True):
        path = tmp_path / "failed.jsonl"
        undeliverable = Undeliverable(path, None)
        if has_failed:
            undeliverable.skip(b"x", None, "no JSON")
        path.unlink()

        undeliverable.close()

        assert (undeliverable.problem is not None) is has_failed
