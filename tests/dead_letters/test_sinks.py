"""Is a letter there, whole, when a sink has returned? And what if half of it is?"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py import ConfigError, KclError
from kcl_py.dead_letters import JsonLinesDeadLetters, S3DeadLetters, SqsDeadLetters
from kcl_py.dead_letters.codec import (
    BadLetter,
    decode_letter,
    decode_line,
    encode_letter,
    letter_id,
    letter_line,
)
from kcl_py.dead_letters.file_store import FileStore
from kcl_py.dead_letters.opening import open_sink
from kcl_py.dead_letters.stores import open_store
from tests.dead_letters.fakes import FakeSession
from tests.dead_letters.letters import LETTERS, letter

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead"

# ------------------------------------------------------------------------------------ spelling


@given(LETTERS)
def test_a_letter_is_read_as_it_was_written(given_letter: Any) -> None:
    read = decode_line(letter_line(given_letter))

    assert read.record.data == given_letter.record.data
    assert encode_letter(read) == encode_letter(given_letter)
    assert read.failed_at == given_letter.failed_at
    assert abs(read.record.arrival_timestamp - given_letter.record.arrival_timestamp) < 1e-5
    assert pickle.loads(pickle.dumps(read)) == read
    assert letter_line(given_letter).count(b"\n") == 1
    assert letter_line(given_letter).isascii(), "a queue takes no control characters"


@given(LETTERS, st.data())
def test_what_is_not_whole_is_refused_and_nothing_of_it_is_said(
    given_letter: Any, data: Any
) -> None:
    whole = encode_letter(given_letter)
    gone = data.draw(st.sampled_from([name for name in whole if name != "explicit_hash_key"]))
    cut = data.draw(st.integers(1, len(letter_line(given_letter)) - 2))

    with pytest.raises(BadLetter) as missing:
        decode_letter({name: value for name, value in whole.items() if name != gone})
    with pytest.raises(BadLetter):
        decode_line(letter_line(given_letter)[:cut])

    assert str(whole["data"]) not in str(missing.value) or not whole["data"]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_json_is_a_letter_or_none(value: Any) -> None:
    with pytest.raises(BadLetter):
        decode_line(json.dumps({**encode_letter(letter()), "sequence_number": value, "data": 7}))
    with pytest.raises(BadLetter):
        decode_line(json.dumps(value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shard_id", "\ud800"),
        ("partition_key", "\udfff"),
        ("explicit_hash_key", "\ud800"),
        ("failed_at", "0001-01-01T00:00:00+23:00"),
        ("arrival_time", "9999-12-31T23:59:59-23:00"),
    ],
)
def test_what_json_can_spell_and_nothing_else_can_write_is_no_letter(name: str, value: str) -> None:
    with pytest.raises(BadLetter, match=name):
        decode_letter({**encode_letter(letter()), name: value})


def test_what_is_nested_too_deeply_is_no_letter() -> None:
    with pytest.raises(BadLetter):
        decode_line(b"[" * 200_000)


def test_whatever_the_processor_said_of_its_error_can_be_shown() -> None:
    read = decode_line(letter_line(letter(error_message="caf\udcc3")))

    assert read.error_message == "caf?"


def test_one_bad_line_silences_no_other(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    bad = {**encode_letter(letter(1)), "app_name": "\ud800"}
    path.write_bytes(json.dumps(bad).encode() + b"\n" + b"[" * 200_000 + b"\n")
    JsonLinesDeadLetters(path).write([letter(2)])

    found = list(FileStore(path).read())

    assert [each.letter is not None for each in found] == [False, False, True]


def test_a_letter_shows_no_data_and_no_message() -> None:
    shown = repr(letter(data=b"secret", error_message="the secret"))

    assert "secret" not in shown


def test_the_same_record_has_the_same_id_and_another_has_another() -> None:
    same = {letter_id(letter(attempts=n, error_type=str(n))) for n in range(1, 5)}
    others = {
        letter_id(one)
        for one in (letter(), letter(2), letter(sub=1), letter(shard_id="s"), letter(app_name="b"))
    }

    assert len(same) == 1
    assert len(others) == 5


# --------------------------------------------------------------------------------------- files


def test_lines_are_appended_and_only_the_owner_may_read_them(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    sink = JsonLinesDeadLetters(path)

    sink.write([letter(1), letter(2)])
    sink.write([letter(3)])

    lines = path.read_bytes().splitlines()
    assert [decode_line(line).record.sequence_number for line in lines] == ["1", "2", "3"]
    assert path.stat().st_mode & 0o777 == 0o600


@given(st.integers(0, 400))
def test_a_line_that_was_cut_costs_no_other(cut: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dead.jsonl"
        sink = JsonLinesDeadLetters(path)
        sink.write([letter(1)])
        with path.open("ab") as file:
            file.write(letter_line(letter(2))[:cut])
        sink.write([letter(3)])
        found = list(FileStore(path).read())

    read = {one.letter.record.sequence_number for one in found if one.letter is not None}
    assert {"1", "3"} <= read
    # A cut line is told of, not passed over.
    assert sum(one.problem is not None for one in found) == (
        0 < cut < len(letter_line(letter(2))) - 1
    )


def test_a_disk_that_is_full_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:10]))

    with pytest.raises(OSError, match="disk full"):
        JsonLinesDeadLetters(tmp_path / "dead.jsonl").write([letter()])


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        JsonLinesDeadLetters(tmp_path / "no" / "dead.jsonl").write([letter()])


def test_several_processes_append_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    program = (
        "import sys; from kcl_py.dead_letters import JsonLinesDeadLetters;"
        "from tests.dead_letters.letters import letter;"
        "sink = JsonLinesDeadLetters(sys.argv[1]); first = int(sys.argv[2]);"
        "[sink.write([letter(first + n, data=b'x' * 20000)]) for n in range(25)]"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, str(path), str(first)])
        for first in (1000, 2000, 3000)
    ]
    codes = [child.wait(60) for child in children]

    assert codes == [0, 0, 0]
    found = [decode_line(line) for line in path.read_bytes().splitlines() if line]
    assert len({one.record.sequence_number for one in found}) == 75


# ------------------------------------------------------------------------------------- buckets


def test_a_bucket_has_one_object_for_each_letter_however_often_it_is_written() -> None:
    session: Any = FakeSession()
    sink = S3DeadLetters("s3://bucket/dead/", session=session)

    sink.write([letter(1), letter(2)])
    sink.write([letter(1)])

    keys = sorted(session.s3.objects)
    assert len(keys) == 2
    assert keys[0].startswith("dead/app/orders/shardId-000000000000/1-0-")
    assert decode_line(session.s3.objects[keys[0]]) == decode_line(letter_line(letter(1)))
    assert len(session.made) == 1, "one client"


# -------------------------------------------------------------------------------------- queues


def test_a_queue_has_a_message_for_each_letter() -> None:
    session: Any = FakeSession()

    SqsDeadLetters(QUEUE, session=session).write([letter(1), letter(2)])

    bodies = list(session.sqs.messages.values())
    assert [decode_line(body).record.sequence_number for body in bodies] == ["1", "2"]
    assert session.made[0][1]["region_name"] == "eu-central-1"
    assert session.made[0][1]["endpoint_url"] is None


def test_a_queue_of_another_host_is_asked_there() -> None:
    session: Any = FakeSession()

    SqsDeadLetters("http://127.0.0.1:9324/000000000000/dead", session=session).write([letter()])

    assert session.made[0][1]["endpoint_url"] == "http://127.0.0.1:9324"


def test_a_fifo_queue_is_told_shard_and_id() -> None:
    session: Any = FakeSession()

    SqsDeadLetters(QUEUE + ".fifo", session=session).write([letter()])

    assert session.sqs.groups == [("shardId-000000000000", letter_id(letter()))]


@pytest.mark.parametrize("size", [100, 150_000, 300_000, 5_000_000])
def test_what_is_large_goes_to_s3_with_a_pointer(size: int) -> None:
    session: Any = FakeSession()
    large = letter(data=b"x" * size)

    SqsDeadLetters(QUEUE, large_to_s3="s3://bucket/large", session=session).write([large])

    (body,) = session.sqs.messages.values()
    assert len(body) <= 256 * 1024
    is_large = size * 4 / 3 > 256 * 1024
    assert ("data_in" in json.loads(body)) is is_large
    assert len(session.s3.objects) == is_large
    (stored,) = open_store(QUEUE, session).read()
    assert stored.letter == decode_line(letter_line(large))


def test_what_is_too_large_for_a_queue_alone_is_refused_with_a_way_out() -> None:
    session: Any = FakeSession()
    sink = SqsDeadLetters(QUEUE, session=session)

    sink.write([letter(data=b"x" * 700_000)])
    with pytest.raises(KclError, match="large_to_s3"):
        sink.write([letter(data=b"x" * 800_000)])

    assert len(session.sqs.messages) == 1


@pytest.mark.parametrize("service", ["sqs", "s3"])
def test_a_service_that_does_not_answer_is_an_error(service: str) -> None:
    session: Any = FakeSession()
    getattr(session, service).lose_answers = 1
    sink: Any = (
        SqsDeadLetters(QUEUE, session=session)
        if service == "sqs"
        else S3DeadLetters("s3://bucket", session=session)
    )

    with pytest.raises(KclError) as caught:
        sink.write([letter(data=b"secret")])
    sink.write([letter(data=b"secret")])

    assert "secret" not in str(caught.value)


# --------------------------------------------------------------------------------------- by URL


def test_a_url_names_a_sink(tmp_path: Path) -> None:
    session: Any = FakeSession()
    for url in (
        f"file:{tmp_path}/a.jsonl",
        f"file://{tmp_path}/b.jsonl",
        "s3://bucket/dead",
        "sqs://sqs.eu-central-1.amazonaws.com/123456789012/dead?large_to_s3=s3://bucket/large",
        "sqs:http://127.0.0.1:9324/000000000000/dead",
    ):
        open_sink(url, session=session)([letter(data=b"x" * 200_000)])

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "b.jsonl"]
    assert len(session.s3.objects) == 2
    assert len(session.sqs.messages) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: SqsDeadLetters("dead"),
        lambda: SqsDeadLetters(QUEUE, large_to_s3="bucket"),
        lambda: S3DeadLetters("https://bucket"),
        lambda: open_store("dead.jsonl", None),
        lambda: open_store("sqs:dead", None),
    ],
)
def test_what_leads_nowhere_is_refused(make: Any) -> None:
    with pytest.raises(ConfigError):
        make()
